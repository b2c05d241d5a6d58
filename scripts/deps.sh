#!/usr/bin/env bash
# Installs what the tests need on Debian 12, as root, if it is not there.
set -euo pipefail
declare -A need=(
  [opensc-tool]=opensc [pcscd]=pcscd [openssl]=openssl [curl]=curl [certtool]=gnutls-bin
  [softhsm2-util]=softhsm2 [x86_64-w64-mingw32-gcc]=gcc-mingw-w64-x86-64 [wine]=wine
  [p11-kit]=p11-kit [ssh]=openssh-client [sshd]=openssh-server [firefox-esr]=firefox-esr
  [certutil]=libnss3-tools [chromium]=chromium [Xvfb]=xvfb [xdotool]=xdotool [openbox]=openbox
  [pdftotext]=poppler-utils [pdfsig]=poppler-utils [pk12util]=libnss3-tools [qpdf]=qpdf [xmlsec1]=xmlsec1 [zbarimg]=zbar-tools [unshare]=util-linux [ip]=iproute2 [gcc]=gcc [setpriv]=util-linux [strace]=strace
)
missing=()
for cmd in "${!need[@]}"; do
  command -v "$cmd" >/dev/null || missing+=("${need[$cmd]}")
done
[ -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so ] || missing+=(vsmartcard-vpcd)
[ -e "$(compgen -G "/usr/lib/*/pkcs11/p11-kit-client.so")" ] || missing+=(p11-kit-modules)
compgen -G '/usr/lib/*/engines-3/pkcs11.so' >/dev/null || missing+=(libengine-pkcs11-openssl)
[ -x /usr/lib/postgresql/15/bin/postgres ] || missing+=(postgresql-15)
dpkg -s libc6-dev >/dev/null 2>&1 || missing+=(libc6-dev)
[ -d /usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data/crls ] || missing+=(python3-cryptography-vectors)
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
