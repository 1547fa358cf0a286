// Runs before the first paint, so it stands alone: light or dark as chosen here before, else as the device wishes.
{
  const chosen = localStorage.getItem("theme");
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset["bsTheme"] = dark ? "dark" : "light";
}
