// Light or dark before the page is first drawn: until its own script runs, the theme knows "auto" only, and shows both logos.
{
  const { dataset } = document.documentElement;
  if (dataset.theme === "auto") dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
