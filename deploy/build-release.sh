#!/usr/bin/env bash
# Builds what is shipped: the program okuo, which is the command line and, where Lambda starts it, the Lambda function; its bill of materials
# (CycloneDX); the notices of everything that it contains; and the checksums of these files.
#
#   deploy/build-release.sh [--profile dist|release] OUTPUT
#
# The paths of the checkout, of cargo's home and of the target are mapped, in rustc and in the C compiler, so that none of them is in the program.
# CFLAGS of the caller are kept, and RUSTFLAGS are not. The commit is that of the checkout, or OKUO_BUILD_COMMIT where there is none.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

profile=dist
if [[ "${1:-}" == --profile ]]; then
  profile="${2:?--profile needs a name}"
  shift 2
fi
if (($# != 1)); then
  sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
mkdir -p "$1"
output="$(cd "$1" && pwd)"
cd "$root"

cargo_home="${CARGO_HOME:-$HOME/.cargo}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target/ship}"
mkdir -p "$CARGO_TARGET_DIR"
target="$(cd "$CARGO_TARGET_DIR" && pwd)"

# The more special path last: the last that fits is taken, in rustc and in the C compiler. Encoded, since a path may have a space.
rust_flags=() c_flags=()
for pair in "$root=/okuo" "$cargo_home=/cargo" "$target=/okuo/target"; do
  rust_flags+=("--remap-path-prefix=$pair")
  c_flags+=("-ffile-prefix-map=$pair")
done
CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f'; printf '%s' "${rust_flags[*]}")"
export CARGO_ENCODED_RUSTFLAGS
export CFLAGS="${CFLAGS:+$CFLAGS }${c_flags[*]}" CARGO_INCREMENTAL=0 SOURCE_DATE_EPOCH=0 LC_ALL=C TZ=UTC
unset RUSTFLAGS

cargo build --locked --profile "$profile" --features lambda --bin okuo-lambda
install -m 0755 "$target/$profile/okuo-lambda" "$output/okuo"
python3 deploy/release_files.py "$output"
cd "$output"
sha256sum okuo okuo.cdx.json THIRD-PARTY-NOTICES.txt >SHA256SUMS
cat SHA256SUMS
