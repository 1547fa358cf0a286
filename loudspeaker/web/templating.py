"""The Jinja environments of the pages, one per language, with what every template may call.

In a template: `_("…")`, `ngettext(…)`, `{% trans %}`; `t.date(…)` and the other formats of the translator;
`asset("app.css")`; `icon("volume")`; `module("approve")`, which loads a TypeScript module with the sentences it says.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loudspeaker.web.assets_manifest import Assets
from loudspeaker.web.i18n import Language, Translator, browser_catalogue

TEMPLATES = Path(__file__).parent / "templates"


def build_environments(
    assets: Assets, translators: Mapping[Language, Translator], folder: Path = TEMPLATES
) -> dict[Language, Environment]:
    """One environment per language, so that macros translate without being handed a translator."""
    return {language: _environment(assets, translator, folder) for language, translator in translators.items()}


def with_query(path: str, **changes: object) -> str:
    """The address with these query parameters set and all others kept."""
    parts = urlsplit(path)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in changes]
    query = urlencode([*kept, *((name, str(value)) for name, value in changes.items())])
    return urlunsplit(parts._replace(query=query))


def _environment(assets: Assets, translator: Translator, folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        translator.catalogue.gettext, translator.catalogue.ngettext, newstyle=True
    )

    def icon(name: str, css: str = "") -> Markup:
        return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
            css, assets.url("icons.svg"), name
        )

    def module(name: str) -> Markup:
        source = f"{name}.js"
        script = Markup('<script type="module" src="{}"></script>').format(assets.url(source))
        return _catalogue_script(translator, assets, source) + script

    environment.filters["with_query"] = with_query
    environment.globals.update(t=translator, asset=assets.url, icon=icon, module=module)
    return environment


def _catalogue_script(translator: Translator, assets: Assets, source: str) -> Markup:
    catalogue = browser_catalogue(translator, assets.sentences.get(source, ()))
    if not catalogue:
        return Markup("")
    written = json.dumps(catalogue, ensure_ascii=False).replace("<", "\\u003c")
    # json with "<" escaped cannot close its script element
    return Markup('<script type="application/json" data-messages>') + Markup(written) + Markup("</script>")  # noqa: S704
