// What the theme's pages lack for screen readers and speech control, and style sheets cannot add.
document.addEventListener("DOMContentLoaded", () => {
});
