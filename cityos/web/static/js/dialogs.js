// What the two dialogs share. The dialog element traps focus and closes on Escape by itself.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./language.js";

/** Fills `dialog` and opens it. */
export function openDialog(dialog, titleId, title, ...content) {
  dialog.replaceChildren(
    h(
      "header",
      { class: "dialog-head" },
      h("h2", { id: titleId }, title),
      h(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": t("close"),
          onclick: () => dialog.close(),
        },
        icon("close"),
      ),
    ),
    ...content,
  );
  if (!dialog.open) dialog.showModal();
}

/** An error line that is read aloud when it gets a text. */
export function errorLine() {
  return h("p", { class: "form-error", role: "alert" });
}
