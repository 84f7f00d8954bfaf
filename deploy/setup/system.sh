#!/bin/sh
# What some tests need from the machine: a mosquitto and its clients, curl, a Chromium. Best effort:
# it never fails, for without them the tests use the wheel's broker, skip the rest, and say so.
missing=""
command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ] || missing="mosquitto"
command -v mosquitto_pub >/dev/null 2>&1 || missing="$missing mosquitto-clients"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, and not ours to install: $missing (some tests will be skipped)"
    exit 0
fi
echo "installing for the tests: $missing"
export DEBIAN_FRONTEND=noninteractive
timeout 300 apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 update >/dev/null 2>&1 ||
    echo "apt-get update failed, trying with the lists that are there"
for package in $missing; do
    timeout 900 apt-get -qq install --no-install-recommends "$package" >/dev/null 2>&1 </dev/null ||
        echo "could not install $package (some tests will be skipped)"
done
exit 0
