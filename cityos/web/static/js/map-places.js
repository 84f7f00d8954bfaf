// Where labels go so that none covers another: what matters most first, each as large as fits.

const ANGLES = 16;
const FIRST_PX = 8;
const STEP_PX = 8;
const REACH_PX = 96; // farther from its point a label is no longer understood
const GAP_PX = 2;

const OFFSETS = [[0, 0]];
for (let far = FIRST_PX; far <= REACH_PX; far += STEP_PX) {
  for (let turn = 0; turn < ANGLES; turn += 1) {
    const angle = (turn / ANGLES) * 2 * Math.PI - Math.PI / 2; // upwards first
    OFFSETS.push([Math.round(far * Math.cos(angle)), Math.round(far * Math.sin(angle))]);
  }
}

/**
 * Places for labels, `[{form, dx, dy}]`, or null for a label that has no room at all. `labels` are
 * `{x, y, forms}`, the most important first; `forms` are the sizes `[width, height]` that it can
 * take, smallest first, in pixels. A form is bought with at most `reach[form]` pixels of way from
 * the label's point. Everything is placed small before anything grows; what is still small makes
 * way for what matters more. No label goes where `blocked` boxes are, `{left, right, top, bottom}`,
 * nor, where it has a box `within`, beyond that.
 */
export function place(labels, reach = [], blocked = []) {
  const find = (index, form, others) =>
    nearest(labels[index], form, reach[form] ?? REACH_PX, [...blocked, ...others]);
  let places = labels.map(() => null);
  labels.forEach((label, index) => {
    if (label.forms.length > 0) places[index] = find(index, 0, places);
  });
  const most = Math.max(0, ...labels.map((label) => label.forms.length));
  for (let form = 1; form < most; form += 1) {
    labels.forEach((label, index) => {
      if (form >= label.forms.length || places[index]?.form !== form - 1) return;
      const others = [...places];
      others[index] = null;
      const firm = others.map((other, at) => (at > index && other?.form === 0 ? null : other));
      places = grown(others, index, find(index, form, firm), find)
        ?? grown(others, index, find(index, form, others), find)
        ?? places;
    });
  }
  return places.map((found) => found && { form: found.form, dx: found.dx, dy: found.dy });
}

/** `places` with `found` in it and what is in its way moved aside, or null where that can not be. */
function grown(places, index, found, find) {
  if (!found) return null;
  const next = places.map((other) => (other && overlap(found, other) ? null : other));
  next[index] = found;
  for (const at of places.keys()) {
    if (!places[at]) continue;
    next[at] ??= find(at, 0, next);
    if (!next[at]) return null;
  }
  return next;
}

function nearest({ x, y, forms, within }, form, reach, others) {
  const [width, height] = forms[form];
  for (const [dx, dy] of OFFSETS) {
    if (Math.hypot(dx, dy) > reach + 1) return null;
    const box = {
      form,
      dx,
      dy,
      left: x + dx - width / 2 - GAP_PX,
      right: x + dx + width / 2 + GAP_PX,
      top: y + dy - height / 2 - GAP_PX,
      bottom: y + dy + height / 2 + GAP_PX,
    };
    if (within && !contains(within, box)) continue;
    if (!others.some((other) => other && overlap(box, other))) return box;
  }
  return null;
}

function contains(a, b) {
  return a.left <= b.left && b.right <= a.right && a.top <= b.top && b.bottom <= a.bottom;
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
