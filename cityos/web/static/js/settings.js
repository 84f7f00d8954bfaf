// What the operator configured and whose city this is, as the server wrote it into the page.

import { byId } from "./dom.js";

/** `{city: {id, name, practice, sources, time_lapse}, stale_after_s, tile_attribution, tile_url}` */
export const settings = Object.freeze(JSON.parse(byId("settings").textContent));
