#!/bin/sh
# Runs the binary as the image of deploy/Dockerfile would hold it: a root with nothing but the
# binary, the libraries that the base image documents and the files that an engine adds; read only
# but for /data, /keys and /tmp; user 65532, without capabilities; a network of its own.
#   unshare --mount --net empty_root.sh BINARY FOLDER
# The environment is the service's.
set -eu
binary=$1
root=$2/root

# What gcr.io/distroless/cc-debian12 has: glibc and libgcc (libssl and libstdc++ too, unused).
libraries=$(ldd "$binary" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }')
for library in $libraries; do
    case ${library##*/} in
        ld-linux-*.so.* | libc.so.6 | libm.so.6 | libgcc_s.so.1 | libdl.so.2 | libpthread.so.0 | librt.so.1) ;;
        *) echo "the image has no $library" >&2; exit 1 ;;
    esac
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done
mkdir -p "$root/data" "$root/keys" "$root/tmp" "$root/etc"
printf '127.0.0.1 localhost registry\n' > "$root/etc/hosts"
: > "$root/citywatch"
mount --bind "$binary" "$root/citywatch"
mount --bind "$root" "$root"
# The bind above hides the binary's: once more.
mount --bind "$binary" "$root/citywatch"
for folder in data keys tmp; do
    mount -t tmpfs -o uid=65532,gid=65532,mode=0700 tmpfs "$root/$folder"
done
chown 65532:65532 "$root"
mount -o remount,bind,ro "$root"
ip link set lo up

# Without capabilities beyond those that chroot needs and then drops. Words, and no function: what is
# signalled in the end is to be the service.
inside="setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid"
inside="$inside chroot --userspec=65532:65532 --groups= $root /citywatch"
if $inside keys --out /elsewhere 2> "$2/refused"; then
    echo "the root can be written to" >&2
    exit 1
fi
grep -q 'Read-only file system' "$2/refused" || { cat "$2/refused" >&2; exit 1; }

$inside keys --out /keys
# The registry is given its own folder only.
mount --bind "$root/keys/registry" "$root/keys"
mount -o remount,bind,ro "$root/keys"

$inside serve registry > "$2/said" 2>&1 &
served=$!
tries=0
until $inside health 2> "$2/unwell"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 200 ] || ! kill -0 "$served" 2> /dev/null; then
        cat "$2/unwell" "$2/said" >&2
        exit 1
    fi
    sleep 0.05
done
kill -TERM "$served"
wait "$served" || { cat "$2/said" >&2; exit 1; }
if $inside health 2> /dev/null; then
    echo "healthy although it has ended" >&2
    exit 1
fi
[ -s "$root/data/registry.db" ] || { echo "nothing was kept in /data" >&2; exit 1; }
