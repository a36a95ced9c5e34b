#!/bin/bash
# filesystems_in_vm.sh - tests/e2e/filesystems.py on NFS 4, NFS 3 and 9p, which many kernels of build machines lack.
#
# Boots Debian's kernel in qemu (no KVM needed, ten minutes without) with this machine's root directory, read-only, as its root; there
# the kernel serves an ext4 image to itself by NFS over loopback.  Nothing is installed or changed on this machine.
# Needs root, Debian, a release build, and: apt install qemu-system-x86 cpio busybox-static kmod nfs-kernel-server nfs-common
# usage: filesystems_in_vm.sh [nfs4|nfs3|9p]...         (default: all; KERNEL=linux-image-... another package, LIMIT=1800 seconds)
set -eu
[ "$(id -u)" = 0 ] || { echo "filesystems_in_vm.sh: must be root" >&2; exit 1; }
cd "$(dirname "$0")/.."
for program in qemu-system-x86_64 cpio busybox modprobe rpc.mountd mount.nfs; do
    command -v $program >/dev/null || { echo "filesystems_in_vm.sh: needs $program, see the head of this file" >&2; exit 1; }
done
[ -x build/release/gnomon ] || { echo "filesystems_in_vm.sh: make release first" >&2; exit 1; }
kinds=${*:-nfs4 nfs3 9p}
dir=$(mktemp -d /var/tmp/gnomon-vm-XXXXXX)
trap 'rm -rf "$dir"' EXIT INT TERM

kernel=${KERNEL:-$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p' | head -n 1)}
(cd "$dir" && apt-get download "$kernel" >/dev/null 2>&1 && dpkg -x ./*.deb unpacked)
image=$(echo "$dir"/unpacked/boot/vmlinuz-*)
release=${image##*/vmlinuz-}
modules=$dir/unpacked/lib/modules/$release
depmod -b "$dir/unpacked" "$release"

# ---- the first root: busybox and modules, until this machine's root is mounted
mkdir -p "$dir/first/bin" "$dir/first/modules" "$dir/9p"
cp "$(command -v busybox)" "$dir/first/bin/busybox"
for module in virtio_pci 9pnet_virtio 9p ext4 loop nfsd nfs nfsv3 nfsv4; do
    modprobe -d "$dir/unpacked" -S "$release" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' >"$dir/order"
while read -r path; do
    cp "$path" "$dir/first/modules/" && echo "/bin/busybox insmod /modules/${path##*/}"
done <"$dir/order" >"$dir/insmods"
cat >"$dir/first/init" <<END
#!/bin/busybox sh
busybox mkdir -p /proc /new
busybox mount -t proc proc /proc
$(cat "$dir/insmods")
busybox mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose root /new
for m in proc:proc sysfs:sys devtmpfs:dev tmpfs:run tmpfs:var/lib/nfs; do busybox mount -t \${m%%:*} \${m%%:*} /new/\${m#*:}; done
busybox chroot /new /bin/bash $dir/inside.sh
busybox poweroff -f
END
chmod +x "$dir/first/init"
(cd "$dir/first" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$dir/first.gz"

# ---- in the machine
cat >"$dir/inside.sh" <<END
export PATH=$PATH TMPDIR=/run HOME=/run PYTHONDONTWRITEBYTECODE=1 GNOMON=$PWD/build/release/gnomon
ip link set lo up
mkdir -p /var/lib/nfs/v4recovery /run/exported /run/nfs4 /run/nfs3 /run/9p
touch /var/lib/nfs/etab /var/lib/nfs/rmtab
truncate -s 600M /run/image && mkfs.ext4 -q /run/image && mount -o loop /run/image /run/exported
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind -w; rpc.mountd; rpc.nfsd 4
exportfs -o rw,sync,no_root_squash,insecure,fsid=0,no_subtree_check 127.0.0.1:/run/exported
mount -t nfs4 -o hard 127.0.0.1:/ /run/nfs4
mount -t nfs -o vers=3,nolock,hard 127.0.0.1:/run/exported /run/nfs3
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 data /run/9p
for d in $kinds; do mountpoint -q /run/\$d && DIRECTORIES=/run/\$d python3 $PWD/tests/e2e/filesystems.py directories || echo "FAIL \$d"; done
echo "machine is done"
END

timeout "${LIMIT:-1800}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 -nographic -no-reboot -nic none \
    -kernel "$image" -initrd "$dir/first.gz" -append "console=ttyS0 quiet panic=-1 rdinit=/init" \
    -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=root,mount_tag=root \
    -fsdev "local,id=data,path=$dir/9p,security_model=none" -device virtio-9p-pci,fsdev=data,mount_tag=data </dev/null | tee "$dir/log"
grep -q "machine is done" "$dir/log" && ! grep -q FAIL "$dir/log" || { echo "filesystems_in_vm.sh: failed"; exit 1; }
