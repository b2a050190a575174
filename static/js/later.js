// Loads what goes on beside the page, such as the bell, only once the page is on the screen: <meta name="later" content="address of a module">.

import { painted } from "./element.js";

await painted();
for (const meta of document.querySelectorAll('meta[name="later"]')) import(meta.content);
