// Stands for the theme's own: the admin draws no charts (analytics is a page of the console), and 200 kB of them would stand before its first paint.
