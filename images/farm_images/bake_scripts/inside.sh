# Runs in the root of the image being baked (chroot, no network needed), after the farm's files were put in.
# Arguments: the suite's Pythons as programs of /usr/bin, in one word with spaces and python3's first, then the kernel
# modules of the initrd in order.
set -eu
programs=$1
shift
python=${programs%% *}

echo "farm: users"
useradd --uid 1000 --create-home --home-dir /home/job --shell /bin/bash job
chmod 0700 /home/job
# pip is linked into each new environment, not copied: hundreds of files are seconds under emulation. A look for newer
# seeds, in the background, would be a second process that nobody waits for.
mkdir -p /home/job/.config/virtualenv
printf '%s\n' '[virtualenv]' 'symlink_app_data = true' 'no_periodic_update = true' >/home/job/.config/virtualenv/virtualenv.ini

# Nobody links Python into a program statically here.
rm -f /usr/lib/python3*/config-*/libpython*.a /usr/lib/x86_64-linux-gnu/libpython*.a

# pyenv builds with debugging information: half of an interpreter's size.
find /opt/python -type f \( -name '*.so' -o -name '*.so.*' -o -path '*/bin/*' \) -exec strip --strip-debug {} + \
    2>/dev/null || true

echo "farm: bytecode"
# Each interpreter compiles its own library: what is fresh is skipped. Templates and 2to3's bad examples do not
# compile, hence no stop on an error; an interpreter that cannot start is for the guest's probe to report.
compile() {
    "$1" -c 'import sys; sys.exit(sys.version_info[0] < 3)' && set -- "$1" "$2" -j 2
    interpreter=$1 folder=$2
    shift 2
    "$interpreter" -m compileall -q "$@" "$folder" >/dev/null 2>&1 || true
}
compile "/usr/bin/$python" /opt/wheelfarm
for program in $programs; do
    case $program in pypy*) ;; *) compile "/usr/bin/$program" "/usr/lib/$program" ;; esac
done
for executable in /opt/python/bin/*; do
    [ -x "$executable" ] || continue
    real=$(readlink -f "$executable")
    for folder in "${real%/bin/*}"/lib/p*[0-9] "${real%/bin/*}"/lib/p*[0-9]t; do
        if [ -d "$folder" ]; then compile "$executable" "$folder"; fi
    done
    missing=$(find "${real%/bin/*}" \( -name '*.so' -o -path '*/bin/*' \) -type f -exec ldd {} + 2>/dev/null |
        sed -n 's/^[[:space:]]*\(.*\) => not found$/\1/p' | sort -u | tr '\n' ' ')
    [ -z "$missing" ] || echo "farm: $executable lacks the libraries $missing"
done

echo "farm: caches"
# A first tox asks each interpreter what it is and unpacks pip for it. Done here once at the host's speed, it need not be
# done in each machine. The facts are kept by time stamp, of which the file system to come keeps whole seconds only.
executables=
for program in $programs; do executables="$executables /usr/bin/$program"; done
for executable in /opt/python/bin/*; do
    if [ -x "$executable" ]; then executables="$executables $executable"; fi
done
for executable in $executables; do
    real=$(readlink -f "$executable")
    touch -d "@$(stat -c %Y "$real")" "$real"
done
chown -R job:job /home/job
# The other names of the distribution's Python come first on the PATH, so every search passes them.
# shellcheck disable=SC2086 # the words are paths without blanks
printf '%s\n' $executables /usr/bin/python3 /bin/python3 |
    xargs -n 1 -P 2 /usr/bin/python3 -I -S /opt/wheelfarm/agent.pyz --warm 2>&1 | sed 's/^/farm: not warmed: /' || true
# Bytecode that does not look at time stamps, which change when virtualenv copies or links these files.
find /home/job/.cache/virtualenv /home/job/.local/share/virtualenv -name '*.pyc' -delete 2>/dev/null || true
for executable in $executables; do
    version=$("$executable" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    options=-q
    case $version in 2.* | 3.6) ;; *) options="-q -q --invalidation-mode unchecked-hash" ;; esac
    for folder in /home/job/.cache/virtualenv/wheel/"$version"/image/*/*/ \
        /home/job/.local/share/virtualenv/wheel/"$version"/image/*/*/; do
        [ -d "$folder" ] || continue
        # shellcheck disable=SC2086 # the words are options
        "$executable" -m compileall $options "$folder" >/dev/null 2>&1 ||
            echo "farm: the seeds of $executable are not all compiled"
    done
done
chown -R job:job /home/job

echo "farm: initrd"
# Our own, of busybox and a handful of modules: it is there in a tenth of the time of a general one, which
# counts under emulation. It also gives the network its fixed address, so that no unit has to.
kernel=$(ls /lib/modules)
depmod "$kernel"
work=$(mktemp -d)
mkdir -p "$work/bin" "$work/modules" "$work/dev" "$work/proc" "$work/sys" "$work/root"
cp /bin/busybox "$work/bin/busybox"
for module in "$@"; do
    modprobe --show-depends --set-version "$kernel" "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
    name=${file##*/}
    case $name in
    *.xz) busybox xzcat "$file" >"$work/modules/${name%.xz}" ;;
    *) cp "$file" "$work/modules/" ;;
    esac
    echo "insmod /modules/${name%.xz}" >>"$work/load"
done
cat >"$work/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs none /dev
mount -t proc none /proc
. /load
flags=noatime
for word in $(cat /proc/cmdline); do
    case $word in
    root=*) disk=${word#root=} ;;
    rootflags=*) flags=$flags,${word#rootflags=} ;;
    esac
done
waited=0
while [ ! -b "$disk" ] && [ $waited -lt 200 ]; do sleep 0.05; waited=$((waited + 1)); done
mount -t ext4 -o "rw,$flags" "$disk" /root
if [ -e /proc/sys/net/ipv4/conf/eth0 ]; then
    ip link set lo up
    ip addr add 10.0.2.15/24 dev eth0
    ip link set eth0 up
    ip route add default via 10.0.2.2
fi
# What udev would do, at its cost: the names of the serial ports.
mount -t sysfs none /sys
for port in /sys/class/virtio-ports/*; do
    [ -s "$port/name" ] || continue
    mkdir -p /dev/virtio-ports
    ln -s "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
done
umount /sys
umount /proc
mount -o move /dev /root/dev
exec switch_root /root /sbin/init
INIT
chmod 0755 "$work/init"
(cd "$work" && find . | busybox cpio -o -H newc 2>/dev/null) >/boot/farm-initrd
rm -rf "$work"
cp "/boot/vmlinuz-$kernel" /boot/farm-vmlinuz

echo "farm: versions"
dpkg-query --show --showformat '${binary:Package} ${Version}\n' >/boot/farm-packages
