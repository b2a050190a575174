// Stands for the theme's own: what scrolls in the admin scrolls with the browser's bars. The theme asks for the one of its sidebar.
window.SimpleBar = { instances: { get: (node) => ({ getScrollElement: () => node }) } };
