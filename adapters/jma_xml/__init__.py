"""気象庁防災情報XML: the telegrams of the Japan Meteorological Agency, read as bulletins."""
