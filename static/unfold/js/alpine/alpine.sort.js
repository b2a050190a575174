// Stands for the theme's own: no list here is sorted by hand. The theme's tables name the directive all the same, so there is one, and it does nothing.
document.addEventListener("alpine:init", () => window.Alpine.directive("sort", () => {}));
