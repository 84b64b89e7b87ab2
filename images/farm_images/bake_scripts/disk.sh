# Runs beside the root (as its root user, in mmdebstrap's namespace) and makes ROOT.qcow2 of the folder ROOT.
# Arguments: ROOT, the size of the disk in GiB.
set -eu
root=$1
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* "$root"/boot/* "$root"/opt/wheelfarm/bake
echo "farm: file system"
# No journal: the machine never survives a crash, so it need not repair one.
# The bind mount shows the folder without what is mounted in it (/proc, /sys, /dev).
mkdir "$root.bare"
mount --bind "$root" "$root.bare"
mkfs.ext4 -q -F -m 0 -O ^has_journal -E lazy_itable_init=0 -L farm-root -d "$root.bare" "$root.raw" "${2}G"
umount "$root.bare"
rmdir "$root.bare"
echo "farm: disk"
qemu-img convert -f raw -O qcow2 "$root.raw" "$root.qcow2"
rm "$root.raw"
mv "$root.qcow2" "$root/disk.qcow2"
