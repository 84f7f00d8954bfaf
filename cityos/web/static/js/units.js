// UCUM codes as people write them, and how many decimals a value deserves.

const SIGNS = {
  "1": "",
  Cel: "°C",
  deg: "°",
  "m3/s": "m³/s",
  "ug/m3": "µg/m³",
  "[ppm]": "ppm",
  "kW.h": "kWh",
  "{count}": "",
  "[JMA_intensity]": "",
};

const DECIMALS = { m: 2, Cel: 1, mm: 1, "mm/h": 1, "m/s": 1, V: 1, A: 1, Hz: 2 };

/** `{value, unit, decimals}` for display: watts become kilowatts above a thousand. */
export function forDisplay(value, unit) {
  if (unit === "W" && Math.abs(value) >= 1000) {
    return { value: value / 1000, unit: "kW", decimals: Math.abs(value) < 100_000 ? 1 : 0 };
  }
  return { value, unit: SIGNS[unit] ?? unit, decimals: DECIMALS[unit] ?? 0 };
}
