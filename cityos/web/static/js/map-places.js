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
 * the label's point. Everything is placed small before anything grows.
 */
export function place(labels, reach = []) {
  const places = labels.map(() => null);
  const most = Math.max(0, ...labels.map((label) => label.forms.length));
  for (let form = 0; form < most; form += 1) {
    labels.forEach((label, index) => {
      if (form >= label.forms.length || (form > 0 && places[index]?.form !== form - 1)) return;
      const others = places.filter((other, at) => other && at !== index);
      const found = nearest(label, form, reach[form] ?? REACH_PX, others);
      if (found) places[index] = found;
    });
  }
  return places.map((found) => found && { form: found.form, dx: found.dx, dy: found.dy });
}

function nearest({ x, y, forms }, form, reach, others) {
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
    if (!others.some((other) => overlap(box, other))) return box;
  }
  return null;
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
