#!/usr/bin/env python3
"""Fills a mounted filesystem with a tree that holds every corner case a reader
may get wrong. Root and Linux only. The same arguments make the same tree.

	filltree.py DIR [--block N] [--big N] [--long-names N] [--extents N]
	                [--xattrs N] [--deep] [--small] [--sections a,b,...]

What the filesystem at DIR cannot hold (a symlink too long for it, an attribute
too large) is left out, and the number of such things is printed by section.
"""
import argparse
import ctypes
import errno
import fcntl
import os
import random
import socket
import stat
import struct
import sys

# What a filesystem answers where its format has no room for something.
TOO_MUCH = {
    errno.ENOSPC, errno.EOPNOTSUPP, errno.E2BIG, errno.ERANGE, errno.EFBIG,
    errno.ENAMETOOLONG, errno.EMLINK, errno.EINVAL, errno.EOVERFLOW,
    errno.ENOTTY, errno.EXDEV,
}
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE = 1, 2, 16
FICLONE, FICLONERANGE, FIDEDUPERANGE = 0x40049409, 0x4020940D, 0xC0189436
WHEN = 1_700_000_000 * 10**9  # the time of everything that gets no other one

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, offset, length) != 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


def acl(*entries):
    """The kernel's form of an ACL (linux/posix_acl_xattr.h): (tag, perm, id)."""
    tags = {"u:": 1, "u": 2, "g:": 4, "g": 8, "m": 16, "o": 32}
    out = struct.pack("<I", 2)
    for tag, perm, ident in sorted(((tags[t], p, i) for t, p, i in entries), key=lambda e: (e[0], e[2])):
        out += struct.pack("<HHI", tag, perm, ident)
    return out


NOBODY = 0xFFFFFFFF  # the id of entries that name nobody


class Filler:
    def __init__(self, args):
        self.args = args
        self.skipped = {}
        self.section = ""
        self.random = random.Random(1)
        # Half random, half text, so that compression has both.
        self.noise = self.random.randbytes(1 << (14 if args.small else 20))
        self.text = b"".join(b"line %06d of the text that fills files\n" % i for i in range(30000))

    def attempt(self, what, *args, **kw):
        try:
            return what(*args, **kw)
        except OSError as e:
            if e.errno not in TOO_MUCH:
                raise
            self.skipped[self.section] = self.skipped.get(self.section, 0) + 1
            return None

    def bytes(self, n, seed=0):
        source = self.noise if seed % 2 else self.text
        at = (seed * 7919) % len(source)
        out = source[at:] + source * (n // len(source) + 1)
        return out[:n]

    def file(self, path, data=b"x\n"):
        with open(path, "wb") as f:
            f.write(data)

    def run(self):
        wanted = self.args.sections.split(",") if self.args.sections else None
        for name in SECTIONS:
            if wanted is not None and name not in wanted:
                continue
            self.section = name
            os.mkdir(name)
            os.chdir(name)
            try:
                getattr(self, name)()
            finally:
                os.chdir("..")
        self.settle()
        if self.skipped:
            left = ", ".join(f"{n} of {name}" for name, n in self.skipped.items())
            print(f"filltree: no room in this format for {left}", file=sys.stderr)

    def settle(self):
        """Gives what has no time of its own a fixed one, children first."""
        for base, dirs, files, fd in os.fwalk(b".", topdown=False, follow_symlinks=False):
            if base.startswith(b"./times"):
                continue
            for name in files + dirs:
                os.utime(name, ns=(WHEN, WHEN + len(name) * 1001), dir_fd=fd, follow_symlinks=False)
        os.utime(".", ns=(WHEN, WHEN + 1))

    # Sections. Each runs in a directory of its own name.

    def sizes(self):
        b = self.args.block
        n = b // 4  # pointers in an indirect block
        edges = {0, 1, 2, 59, 60, 61, 64, 95, 100, 127, 128, 129, 155, 156, 157, 159, 160, 161,
                 255, 256, 511, 512, 513, 767, 768, 895, 1023, 1024, 1025, 4095, 4096, 4097,
                 12 * b, (12 + n) * b, 65536, 1 << 20}
        edges |= {k * b for k in (1, 2, 3, 12, 13)}
        if b <= 2048:
            edges.add((12 + n + n) * b)  # well into the double-indirect blocks
        sizes = set()
        for edge in edges:
            if edge <= 8 << 20:
                sizes |= {edge, max(0, edge - 1), edge + 1}
        if self.args.small:
            sizes = {s for s in sizes if s <= 3 * b + 1}
        for i, size in enumerate(sorted(sizes)):
            self.file(f"{size:08d}", self.bytes(size, i))
        self.file("zeros", bytes(3 * b + 7))

    def sparse(self):
        b = self.args.block
        n = b // 4

        def holes(name, size, *writes):
            fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o644)
            try:
                for i, (off, length) in enumerate(writes):
                    self.attempt(os.pwrite, fd, self.bytes(length, i), off)
                if size is not None:
                    self.attempt(os.ftruncate, fd, size)
            finally:
                os.close(fd)

        holes("all-hole", 1 << 30)
        holes("small-hole", 10)
        holes("lead", None, (5 * b, 100))
        holes("trail", 1 << 20, (0, 100))
        holes("middle", None, (0, b), (9 * b, b))
        holes("odd-offset", 3 * b + 3, (b + 1, 17))
        holes("alternate", None, *[(2 * i * b, b) for i in range(200)])
        holes("indirect", None, *[(12 * b, 10), ((12 + n) * b, 10), ((12 + n + n * n) * b, 10)])
        holes("tera", (1 << 40) + 5, (0, 10), ((1 << 39) + 11, 4096), ((1 << 40) - 9, 14))
        holes("peta", 1 << 43, ((1 << 43) - b, 10))

    def unwritten(self):
        b = self.args.block

        def make(name, data, *ops):
            fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o644)
            try:
                os.pwrite(fd, data, 0)
                os.fsync(fd)
                for mode, off, length in ops:
                    self.attempt(fallocate, fd, mode, off, length)
                return fd
            finally:
                os.fsync(fd)
                os.close(fd)

        data = self.bytes(20 * b, 1)
        make("allocated", b"", (0, 0, 10 * b))
        make("past-eof", data[: b + 5], (FALLOC_KEEP_SIZE, 0, 40 * b))
        make("punched", data, (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 3 * b, 5 * b))
        make("zeroed", data, (FALLOC_ZERO_RANGE, 2 * b + 3, 6 * b))
        make("partly", b"", (0, 0, 50 * b))
        fd = os.open("partly", os.O_RDWR)
        for i in range(0, 50, 5):
            os.pwrite(fd, data[:b], i * b)
        os.close(fd)

    def fragmented(self):
        b = self.args.block
        count = self.args.extents
        block = self.bytes(b, 1)

        def every_second(name, start):
            fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o644)
            for i in range(start, 2 * count, 2):
                os.pwrite(fd, struct.pack("<I", i) + block[4:], i * b)
            os.fsync(fd)
            os.close(fd)

        every_second("comb", 0)
        every_second("dense", 0)
        every_second("comb2", 0)
        every_second("dense", 1)  # the gaps come from elsewhere on the disk
        os.truncate("dense", 2 * count * b - 1)

    def dirs(self):
        for n in (0, 1, 2, 3, 10, 60) if self.args.small else (0, 1, 2, 3, 10, 60, 200, 1000):
            os.mkdir(f"{n:04d}")
            for i in range(n):
                os.mknod(f"{n:04d}/entry-{i}" + "x" * (i % 37))
        os.mkdir("emptied")
        for i in range(500):
            os.mknod(f"emptied/{i}")
        for i in range(500):
            os.unlink(f"emptied/{i}")
        os.mkdir("renamed")
        for i in range(100):
            os.mknod(f"renamed/a{i}")
            os.rename(f"renamed/a{i}", f"renamed/b{i * 7919 % 100:050d}")
        path = "nest"
        for i in range(40):
            os.mkdir(path)
            path += "/d"
        os.mkdir("lost+found")
        self.file("lost+found/not-really")
        if self.args.big:
            self.many("big", self.args.big, lambda i: f"file-{i:06d}" + "-padding"[: i % 9])
        if self.args.long_names:
            self.many("long", self.args.long_names, lambda i: f"{i:06d}" + "n" * (200 + i % 50))

    def many(self, name, count, label):
        """A directory that lost every third entry and got some back."""
        os.mkdir(name)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for i in range(count):
                if self.attempt(os.mknod, label(i), 0o100644, 0, dir_fd=fd) is None and self.section in self.skipped:
                    break
            for i in range(0, count, 3):
                self.attempt_unlink(label(i), fd)
            for i in range(0, count, 30):
                os.mknod("again-" + label(i)[:240], 0o100600, 0, dir_fd=fd)
        finally:
            os.close(fd)

    def attempt_unlink(self, name, fd):
        try:
            os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            pass

    def names(self):
        names = [
            b"n" * 255, "ü".encode() * 127 + b"x", "漢".encode() * 85, b"\xff" * 255,
            b"new\nline", b"\n", b"tab\t", b"esc\x1b[31mred\x1b[0m", b"bell\x07", b"del\x7f",
            b"c1\xc2\x9b31m", bytes(range(1, 32)), b"latin-1-\xe9\xe8", b"\x80", b"broken-\xc3", b"surrogate-\xed\xa0\x80",
            "é-composed".encode(), "e\u0301-composed".encode(), "rtl-\u202egnp.exe".encode(), "🐧".encode(),
            b" ", b" lead", b"trail ", b"-rf", b"--help", b"*", b"?", b"$HOME", b"`id`", b"'", b'"', b"back\\slash",
            b"...", b"..a", b".hidden", b"~", b"#", b"%41", b"a=b", b"con", b"aux.txt", b"a:b", b"a|b", b"PaxHeaders.0", b"GNUSparseFile.0",
            b"x" * 99, b"x" * 100, b"x" * 101, b"x" * 154, b"x" * 155, b"x" * 156, b"0", b"12 path=evil", b"@LongLink",
        ]
        for i, name in enumerate(names):
            self.file(name, b"%d\n" % i)
        os.mkdir("d")
        for i, name in enumerate(names):
            sub = b"d/" + name
            os.mkdir(sub)
            self.file(sub + b"/" + name, b"%d\n" % i)
            os.symlink(name, sub + b"/link")
            os.link(name, sub + b"/hard")
        if self.args.deep:
            # Longer than PATH_MAX: only reachable in steps.
            start = os.open(".", os.O_RDONLY)
            for i in range(25):
                os.mkdir("deep" + "e" * 200)
                os.chdir("deep" + "e" * 200)
            self.file("bottom", b"deep\n")
            os.fchdir(start)
            os.close(start)

    def symlinks(self):
        for n in (1, 2, 58, 59, 60, 61, 99, 100, 101, 155, 156, 157, 200, 255, 256, 300, 463, 464, 465, 511, 512, 975, 1000, 1022, 1023, 1024, 2000, 3999, 4094, 4095):
            self.attempt(os.symlink, (b"t/" * n)[:n], f"length-{n:04d}")
        for name, target in {
            "absolute": b"/etc/passwd", "up": b"../../../../../../etc/passwd", "dangling": b"nowhere",
            "self": b"self", "loop-a": b"loop-b", "loop-b": b"loop-a", "latin-1": b"\xe9\xff",
            "newline": b"a\nb", "slash": b"/", "dot": b".", "trailing": b"dir/", "utf8": "ü→漢".encode(),
        }.items():
            os.symlink(target, name)

    def hardlinks(self):
        os.mkdir("a")
        os.mkdir("b")
        self.file("a/file", b"linked\n" * 1000)
        self.file("z-first", b"the first name sorts last\n")
        os.link("z-first", "a/z")
        for i in range(40):
            os.link("a/file", f"b/link-{i:03d}")
        os.symlink(b"target", "a/symlink")
        self.attempt(os.link, "a/symlink", "b/symlink", follow_symlinks=False)
        os.symlink(b"t" * 300, "a/long-symlink")
        self.attempt(os.link, "a/long-symlink", "b/long-symlink", follow_symlinks=False)
        os.mkfifo("a/fifo")
        os.link("a/fifo", "b/fifo")
        os.mknod("a/dev", 0o020600, os.makedev(5, 1))
        os.link("a/dev", "b/dev")
        os.mknod("a/empty")
        os.link("a/empty", "b/empty")
        self.file("a/lost", b"one of two names stays\n")
        os.link("a/lost", "b/lost")
        os.unlink("a/lost")

    def devices(self):
        for major, minor in ((0, 0), (1, 3), (8, 0), (8, 255), (8, 256), (255, 255), (256, 0), (259, 65537), (4095, 1048575), (4095, 262143), (511, 1048575), (10, 229)):
            self.attempt(os.mknod, f"c-{major}-{minor}", 0o020640, os.makedev(major, minor))
            self.attempt(os.mknod, f"b-{major}-{minor}", 0o060660, os.makedev(major, minor))
        os.mkfifo("fifo", 0o622)
        os.chmod("fifo", 0o622)
        s = socket.socket(socket.AF_UNIX)
        s.bind("socket")
        s.close()

    def modes(self):
        for mode in [0, 0o7777, 0o4755, 0o2755, 0o1777, 0o6711, 0o4644, 0o2644] + [1 << i for i in range(12)]:
            self.file(f"f{mode:04o}")
            os.chmod(f"f{mode:04o}", mode)
            os.mkdir(f"d{mode:04o}")
            os.chmod(f"d{mode:04o}", mode)
            self.file(f"d{mode:04o}/inside")
            os.mkfifo(f"p{mode:04o}")
            os.chmod(f"p{mode:04o}", mode)

    def owners(self):
        for ident in (0, 1, 1000, 65533, 65534, 65535, 65536, 65537, 100000, 2**18 - 1, 2**18, 2**21 - 1, 2**21, 2**21 + 1, 2**24, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2):
            self.file(f"u{ident}")
            os.chown(f"u{ident}", ident, 0)
            self.file(f"g{ident}")
            os.chown(f"g{ident}", 0, ident)
            os.mkdir(f"d{ident}")
            os.chown(f"d{ident}", ident, ident)
            os.symlink("x", f"l{ident}")
            os.chown(f"l{ident}", ident, ident, follow_symlinks=False)

    def times(self):
        every = (-(2**31), -(2**31) + 1, -86400, -2, -1, 0, 1, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**33 - 1, 2**33, 2**33 + 2**31, 2**33 + 2**32, 15032385535)
        for sec in every[::4] if self.args.small else every:
            for nsec in (1, 999_999_999) if self.args.small else (0, 1, 500_000_000, 999_999_999):
                name = f"{sec}.{nsec:09d}"
                self.file(name)
                os.mkdir("d" + name)
                os.symlink("x", "l" + name)
                for path in (name, "d" + name, "l" + name):
                    os.utime(path, ns=(0, sec * 10**9 + nsec), follow_symlinks=False)

    def xattrs(self):
        def attrs(path, values):
            for name, value in values.items():
                self.attempt(os.setxattr, path, name, value, follow_symlinks=False)

        def make(name, values):
            self.file(name)
            attrs(name, values)

        make("empty", {"user.empty": b""})
        make("small", {"user.a": b"1", "user.b": b"22", "user.c": b"333"})
        make("binary", {"user.binary": bytes(range(256)), "user.nul": b"\0", "user.newline": b"a\nb\n", "user.equals": b"a=b=c"})
        make("names", {"user." + "n" * 250: b"longest name", "user.ü": b"utf8", b"user.\xff\xfe": b"not utf8", "user.with space": b"s",
                       "user.a=b": b"equals in the name", "user.percent%41": b"p", "user.x.y.z": b"dots", "user.SCHILY.xattr": b"tar"})
        for n in (1, 3, 4, 5, 60, 90, 100, 500, 900, 1000, 2000, 3500, 4000):
            make(f"value-{n:05d}", {"user.v": self.bytes(n, 1)})
        for n in (4096, 5000, 10000, 32768, 65535, 65536):
            make(f"value-{n:05d}", {"user.v": self.bytes(n, 1)})
        # The same large values on several files: shared attribute inodes, or one block for all.
        for i in range(4):
            make(f"shared-{i}", {"user.v": self.bytes(9000, 3)})
            make(f"twin-{i}", {"user.v": self.bytes(700, 3), "user.w": self.bytes(300, 5)})
        make("many", {f"user.k{i:03d}": b"v%d" % i for i in range(25)})
        make("both-places", {"user.i": b"inode", "user.j": self.bytes(600, 1), "user.k": self.bytes(1200, 2)})
        if self.args.xattrs:
            make("thousands", {f"user.k{i:05d}": b"%d" % i * (1 + i % 9) for i in range(self.args.xattrs)})
            make("large-values", {f"user.large{i}": self.bytes(65536 - i, i) for i in range(6)})
        os.mkdir("dir")
        attrs("dir", {"user.dir": b"on a directory", "trusted.dir": b"t"})
        selinux = b"system_u:object_r:%s:s0\0"
        for name, kind in (("se-file", b"etc_t"), ("se-bin", b"bin_t")):
            make(name, {"security.selinux": selinux % kind})
        os.symlink("x" * 20, "se-link")
        attrs("se-link", {"security.selinux": selinux % b"link_t", "trusted.link": b"t"})
        os.symlink("x" * 200, "se-long-link")
        attrs("se-long-link", {"security.selinux": selinux % b"link_t"})
        os.mkfifo("se-fifo")
        attrs("se-fifo", {"security.selinux": selinux % b"fifo_t"})
        os.mknod("se-dev", 0o020600, os.makedev(1, 5))
        attrs("se-dev", {"security.selinux": selinux % b"zero_device_t"})
        self.file("linked", b"attributes on a hard link\n")
        os.link("linked", "linked-2")
        attrs("linked", {"user.linked": b"yes"})
        make("trusted", {"trusted.overlay.opaque": b"y", "trusted.empty": b""})
        make("ima", {"security.ima": b"\x04\x02" + bytes(range(32)), "security.evm": b"\x02" + bytes(20)})
        # vfs_cap_data (linux/capability.h): version and flag, then permitted and inheritable, low and high words.
        make("cap-net-raw", {"security.capability": struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)})
        make("cap-all", {"security.capability": struct.pack("<5I", 0x02000000, 0xFFFFFFFF, 0xFFFFFFFF, 0x1FF, 0x1FF)})
        make("cap-rootid", {"security.capability": struct.pack("<6I", 0x03000001, 1 << 10, 0, 0, 0, 100000)})

    def acls(self):
        base = (("u:", 6, NOBODY), ("g:", 4, NOBODY), ("m", 7, NOBODY), ("o", 4, NOBODY))
        lists = {
            "user": base + (("u", 7, 1000),),
            "group": base + (("g", 5, 4),),
            "both": base + (("u", 4, 0), ("u", 0, 65534), ("g", 6, 100), ("g", 7, 65536)),
            "large-ids": base + (("u", 4, 2**21 + 7), ("u", 5, 2**31), ("u", 1, 2**32 - 2), ("g", 5, 2**32 - 2)),
            "mask-narrow": (("u:", 7, NOBODY), ("g:", 7, NOBODY), ("m", 1, NOBODY), ("o", 0, NOBODY), ("u", 7, 5)),
            "mask-none": (("u:", 7, NOBODY), ("g:", 7, NOBODY), ("m", 0, NOBODY), ("o", 0, NOBODY), ("u", 7, 5)),
            "thirty": base + tuple(("u", i % 8, 2000 + i) for i in range(15)) + tuple(("g", i % 8, 3000 + i) for i in range(15)),
        }
        for name, entries in lists.items():
            self.file(name)
            self.attempt(os.setxattr, name, "system.posix_acl_access", acl(*entries))
            os.mkdir("d-" + name)
            self.attempt(os.setxattr, "d-" + name, "system.posix_acl_default", acl(*entries))
            os.mkdir("b-" + name)
            self.attempt(os.setxattr, "b-" + name, "system.posix_acl_access", acl(*entries))
            self.attempt(os.setxattr, "b-" + name, "system.posix_acl_default", acl(*entries))
            self.file("b-" + name + "/inherits")
            os.mkdir("b-" + name + "/inherits-too")
        os.mkdir("d-minimal")
        self.attempt(os.setxattr, "d-minimal", "system.posix_acl_default", acl(("u:", 7, NOBODY), ("g:", 5, NOBODY), ("o", 5, NOBODY)))
        self.file("special")
        os.chmod("special", 0o6755)
        self.attempt(os.setxattr, "special", "system.posix_acl_access", acl(*lists["user"]))
        os.chmod("special", os.stat("special").st_mode & 0o777 | 0o6000)
        os.mkfifo("fifo")
        self.attempt(os.setxattr, "fifo", "system.posix_acl_access", acl(*lists["group"]))
        self.file("with-xattrs")
        self.attempt(os.setxattr, "with-xattrs", "system.posix_acl_access", acl(*lists["both"]))
        self.attempt(os.setxattr, "with-xattrs", "user.x", b"y")
        self.attempt(os.setxattr, "with-xattrs", "security.selinux", b"system_u:object_r:etc_t:s0\0")

    def clones(self):
        """Shared extents, where the filesystem has them."""
        b = self.args.block
        self.file("origin", self.bytes(64 * b + 11, 1))
        os.sync()
        src = os.open("origin", os.O_RDONLY)

        def clone(name, then=lambda fd: None):
            fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o644)
            try:
                if self.attempt(fcntl.ioctl, fd, FICLONE, src) is None:
                    os.unlink(name)
                    return
                then(fd)
            finally:
                os.close(fd)

        clone("copy")
        clone("overwritten", lambda fd: [os.pwrite(fd, b"new", i * 7 * b) for i in range(8)])
        clone("cut", lambda fd: os.ftruncate(fd, 10 * b + 5))
        clone("grown", lambda fd: os.pwrite(fd, b"end", 100 * b))
        fd = os.open("range", os.O_CREAT | os.O_RDWR, 0o644)
        self.attempt(fcntl.ioctl, fd, FICLONERANGE, struct.pack("<qQQQ", src, 8 * b, 16 * b, 4 * b))
        os.close(fd)
        self.file("twin", self.bytes(64 * b + 11, 1))
        os.sync()
        fd = os.open("twin", os.O_RDWR)
        info = struct.pack("<qQQiI", fd, 0, 0, 0, 0)
        self.attempt(fcntl.ioctl, src, FIDEDUPERANGE, struct.pack("<QQHHI", 0, 64 * b, 1, 0, 0) + info)
        os.close(fd)
        os.close(src)


SECTIONS = ["sizes", "sparse", "unwritten", "fragmented", "dirs", "names", "symlinks", "hardlinks",
            "devices", "modes", "owners", "times", "xattrs", "acls", "clones"]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("dir")
    p.add_argument("--block", type=int, default=4096, help="block size of the filesystem")
    p.add_argument("--big", type=int, default=0, help="entries of the largest directory")
    p.add_argument("--long-names", type=int, default=0, help="entries of a directory of long names")
    p.add_argument("--extents", type=int, default=100, help="extents of the fragmented files")
    p.add_argument("--xattrs", type=int, default=0, help="attributes on one file")
    p.add_argument("--deep", action="store_true", help="a path longer than PATH_MAX")
    p.add_argument("--small", action="store_true", help="little content, for images that are committed")
    p.add_argument("--sections", default="", help="only these")
    args = p.parse_args()
    os.umask(0o022)
    os.chdir(args.dir)
    Filler(args).run()


if __name__ == "__main__":
    main()
