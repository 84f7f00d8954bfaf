// Signing in with an official's key, and out.

import { on } from "./city.js";
import { errorLine, openDialog } from "./dialogs.js";
import { byId, h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { onLanguage, t } from "./language.js";
import { session, signIn, signOut, signedIn } from "./official-session.js";

const dialog = () => byId("officials-dialog");

export function startOfficials() {
  byId("officials-button").addEventListener("click", open);
  on("session", labelButton);
  on("proposals", labelButton);
  onLanguage(() => {
    labelButton();
    if (dialog().open) open();
  });
}

function labelButton() {
  const waiting = session.proposals?.length ?? 0;
  const button = byId("officials-button");
  const label = t(signedIn() ? "officials.button.in" : "officials.button");
  button.setAttribute("aria-label", waiting > 0 ? `${label} (${waiting})` : label);
  button.replaceChildren(
    icon("person"),
    h("span", { class: "label" }, label),
    ...(waiting > 0 ? [h("b", { class: "count" }, String(waiting))] : []),
  );
}

function open() {
  const content = signedIn() ? signedInContent() : signInContent();
  openDialog(dialog(), "officials-title", t("officials.title"), ...content);
}

function signedInContent() {
  const leave = () => {
    signOut();
    dialog().close();
  };
  return [
    h("p", {}, t("officials.signed_in")),
    h(
      "div",
      { class: "dialog-actions" },
      h("button", { type: "button", class: "button", onclick: leave }, t("officials.sign_out")),
    ),
  ];
}

function signInContent() {
  const error = errorLine();
  const input = h("input", {
    type: "password",
    id: "official-key",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "official-key-note",
  });
  const submit = h("button", { type: "submit", class: "button is-primary" }, t("officials.sign_in"));
  const form = h(
    "form",
    {
      class: "form",
      novalidate: true,
      oninput: () => {
        setText(error, "");
        input.removeAttribute("aria-invalid");
      },
      onsubmit: (event) => {
        event.preventDefault();
        void trySignIn(input, submit, error);
      },
    },
    h("p", {}, t("officials.explain")),
    h("label", { for: "official-key" }, t("officials.key")),
    input,
    h("p", { class: "note", id: "official-key-note" }, t("officials.key.kept")),
    error,
    h("div", { class: "dialog-actions" }, submit),
  );
  return [form];
}

async function trySignIn(input, submit, error) {
  const key = input.value.trim();
  if (!key) {
    setText(error, t("officials.key.missing"));
    input.focus();
    return;
  }
  submit.disabled = true;
  setText(error, "");
  try {
    await signIn(key);
    dialog().close();
    requestAnimationFrame(() => byId("decisions").querySelector("h2")?.focus());
  } catch (failure) {
    setText(error, t(reasonOf(failure)));
    input.setAttribute("aria-invalid", "true");
    input.focus();
  } finally {
    submit.disabled = false;
  }
}

function reasonOf(failure) {
  if (failure.isOfAnotherCity) return "officials.key.another_city";
  const known = { 401: "officials.key.refused", 403: "officials.key.forbidden" };
  return known[failure.status] ?? "officials.key.failed";
}
