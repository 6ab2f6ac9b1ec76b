#!/usr/bin/env bash
# Run tests on AArch64, emulated by qemu, on an x86-64 machine with Debian or Ubuntu.
#
#     scripts/test_aarch64.sh [--folder FOLDER] [--processor NAME]... [TEST]... [-- OPTION...]
#
# Runs tests/test_bits.py if no TEST is named, once for every NAME: a processor that LLVM
# knows, by default plain AArch64, Apple's M1 and one with scalable vectors (SVE). OPTIONs are
# pytest's. Needs root.
# FOLDER (0.9 GB) keeps the emulated system and the compiled code for the next run; without
# it everything is thrown away. On the machine itself, Debian packages are installed where
# they are missing, and the kernel is told to start AArch64 programs with qemu.
# FASTDNN_*, HYPOTHESIS_*, NUMBA_*, PYTEST_* and QEMU_* are passed on. PIP_CONSTRAINT names
# versions to install.
set -euo pipefail

suite=bookworm # the release of Debian, which sets the version of Python: 3.11
binfmt=/proc/sys/fs/binfmt_misc
tree=$(realpath "$(dirname "$0")/..")

fail() {
    echo "test_aarch64.sh: $*" >&2
    exit 2
}

folder='' processors=() tests=() options=()
while [ $# -gt 0 ]; do
    case $1 in
        --folder | --processor)
            [ $# -gt 1 ] || fail "$1 needs a value after it"
            if [ "$1" = --folder ]; then folder=$2; else processors+=("$2"); fi
            shift
            ;;
        --)
            shift
            options=("$@")
            break
            ;;
        -*) fail "there is no option $1: write pytest's options after --" ;;
        *) tests+=("$1") ;;
    esac
    shift
done
[ ${#processors[@]} -gt 0 ] || processors=(generic apple-m1 neoverse-v1)
[ ${#tests[@]} -gt 0 ] || tests=(tests/test_bits.py)

[ "$(uname -m)" = x86_64 ] || fail "this machine is $(uname -m), not x86_64: run pytest itself"
[ "$(id -u)" = 0 ] || fail "needs root, to mount folders and to register qemu: use sudo"
PATH=$PATH:/usr/sbin:/sbin

kept=$folder
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
folder=$(realpath -m "${kept:-$temporary/system}")
root=$folder/root

install_tools() {
    local wanted=(debian-archive-keyring mmdebstrap qemu-user-static)
    dpkg --status "${wanted[@]}" 2>/dev/null | grep -c '^Status: install ok installed' |
        grep -qx ${#wanted[@]} && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${wanted[@]}"
}

# From then on the kernel starts AArch64 programs with qemu, which it opens now (flag F): it
# need not be found inside the emulated system, and processes can start others.
register_qemu() {
    local qemu
    [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt ||
        fail "cannot mount $binfmt: use a machine or container that may (docker: --privileged)"
    [ ! -e $binfmt/qemu-aarch64 ] || return 0
    qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) ||
        fail "the package qemu-user-static has no qemu-aarch64-static"
    # The first 20 bytes of a program: ELF, 64 bits, little-endian; executable; AArch64.
    local magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff'
    mask+='\xfe\xff\xff\xff'
    printf '%s' ":qemu-aarch64:M::$magic:$mask:$qemu:F" >$binfmt/register ||
        fail "the kernel does not register $qemu in $binfmt"
}

# Packages are unpacked and not set up: that takes seconds and runs nothing in emulation.
unpack_system() {
    [ ! -e "$folder/has_system" ] || return 0
    rm -rf "$root"
    mkdir -p "$folder"
    mmdebstrap --quiet --variant=extract --arch=arm64 \
        --include=coreutils,dash,libstdc++6,python3 "$suite" "$root"
    mkdir -p "$root"/{dev,proc,sys,tmp,work,root,usr/local/bin,var/cache/fastdnn}
    chmod 1777 "$root/tmp"
    ln -s /usr/bin/python3 "$root/usr/local/bin/python"
    touch "$folder/has_system"
}

# This machine's pip fetches the wheels of the other: in emulation pip takes many minutes.
install_packages() {
    local version packages minor platforms=()
    version=$(basename "$(readlink "$root/usr/bin/python3")")
    version=${version#python}
    python3 - "$tree/pyproject.toml" >"$temporary/requirements.txt" <<'PYTHON'
import sys, tomllib

with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]
print(*project["dependencies"], *project["optional-dependencies"]["test"], sep="\n")
PYTHON
    cat "${PIP_CONSTRAINT:-/dev/null}" >"$temporary/constraints.txt"
    cat "$temporary"/{requirements,constraints}.txt >"$temporary/wanted"
    ! cmp -s "$temporary/wanted" "$folder/has_packages" || return 0
    packages=$root/usr/local/lib/python$version/dist-packages
    rm -rf "$packages" "$folder/has_packages"
    for minor in {36..17}; do platforms+=(--platform "manylinux_2_${minor}_aarch64"); done
    python3 -m pip install -qq --root-user-action ignore --no-warn-conflicts \
        --target "$packages" --only-binary :all: \
        --python-version "$version" --implementation cp \
        "${platforms[@]}" --platform manylinux2014_aarch64 \
        --requirement "$temporary/requirements.txt"
    cp "$temporary/wanted" "$folder/has_packages"
}

# The mounts are in a namespace of this call's own, so they end with it.
emulate() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation private bash -euc '
        root=$1 tree=$2
        shift 2
        for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder"; done
        mount --bind "$tree" "$root/work"
        exec chroot "$root" /bin/sh -euc "cd /work; exec \"\$@\"" sh "$@"
    ' bash "$root" "$temporary/tree" \
        env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/root LANG=C.UTF-8 PYTHONPATH=/work \
        FASTDNN_CACHE_DIR=/var/cache/fastdnn "$@"
}

copy_tree() {
    mkdir "$temporary/tree"
    git -c safe.directory="$tree" -C "$tree" ls-files -z --cached --others --exclude-standard |
        tar -C "$tree" --create --null --ignore-failed-read --files-from - 2>/dev/null |
        tar -C "$temporary/tree" --extract --no-same-owner
}

passed_on=()
while IFS= read -r name; do
    passed_on+=("$name=${!name}")
done < <(compgen -e | grep -E '^(FASTDNN|HYPOTHESIS|NUMBA|PYTEST|QEMU)_')

install_tools
register_qemu
unpack_system
install_packages
copy_tree

failed=()
for processor in "${processors[@]}"; do
    # Vectors as long as those of the real ones: 256 bits, 128 bits; others have none of SVE.
    case $processor in
        neoverse-v1) qemu_cpu=max,sve256=on ;;
        neoverse-v2) qemu_cpu=max,sve128=on ;;
        *) qemu_cpu=max ;;
    esac
    echo "== AArch64, $processor"
    emulate QEMU_CPU=$qemu_cpu NUMBA_CPU_NAME="$processor" NUMBA_CPU_FEATURES= \
        "${passed_on[@]}" python -m pytest "${options[@]}" "${tests[@]}" ||
        failed+=("$processor")
done
[ ${#failed[@]} = 0 ] || { echo "failed on ${failed[*]}" >&2; exit 1; }
