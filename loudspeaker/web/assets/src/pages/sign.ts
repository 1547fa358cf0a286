// Signs one document that the page shows (a policy, a list of approvers) as approver or place authority.
import { fromBase64 } from "../base64";
import { every } from "../dom";
import { getJson, sendJson } from "../http";
import { checkShown } from "../signing";
import { withSigner } from "../unlock";

type Statement = { payload_type: string; payload: string };

for (const button of every<HTMLButtonElement>("[data-sign-document]"))
  button.addEventListener("click", async () => {
    const { statement = "", signTo = "", payloadType = "", shown = "{}", after = location.href, keys } = button.dataset;
    const signed = await withSigner(async (signer) => {
      const payload = fromBase64((await getJson<Statement>(statement)).payload);
      checkShown(payload, JSON.parse(shown) as Record<string, unknown>);
      await sendJson("POST", signTo, { envelope: await signer.sign(payloadType, payload) });
    }, keys?.split(" "));
    if (signed) location.assign(after);
  });
