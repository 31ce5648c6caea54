#!/usr/bin/env python3
"""Works on a mounted filesystem like a busy machine, then stops in the middle.

	busy.py DIR --seed N --steps N --end shutdown|flush|copy|freeze|none
	        [--image FILE --copy FILE] [--sync PERCENT] [--small]

The end, while files that were unlinked are still open:
  shutdown  the filesystem stops at once, what is not in the log is lost
  flush     the log is written, then the filesystem stops
  copy      the image file is copied as it lies, the filesystem goes on
  freeze    as copy, with the filesystem frozen
"""
import argparse
import ctypes
import fcntl
import os
import random
import struct
import subprocess
import sys
import time

SHUTDOWN = 0x8004587D  # XFS_IOC_GOINGDOWN, EXT4_IOC_SHUTDOWN
FLUSH, NOFLUSH = 1, 2
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
FICLONE = 0x40049409

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def copy_still(image, copy):
    """Copies the image as it was at one moment: what it still equals afterwards
    was all there when the copy ended. The kernel comes to rest by itself."""
    for _ in range(100):
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        if subprocess.run(["cmp", "-s", image, copy]).returncode == 0:
            return
        time.sleep(0.05)
    sys.exit(f"busy.py: {image} is always being written to")


class Busy:
    def __init__(self, args):
        self.r = random.Random(args.seed)
        self.sync = args.sync
        self.files, self.dirs, self.open, self.count = [], ["."], [], 0
        self.noise = self.r.randbytes(1 << 14) * 64 if args.small else self.r.randbytes(1 << 20)

    def fresh(self):
        self.count += 1
        return f"{self.r.choice(self.dirs)}/n{self.count}" + "x" * self.r.randrange(40)

    def data(self):
        n = self.r.choice((0, 1, 60, 150, 4000, 4096, 5000, 70000, 200000))
        at = self.r.randrange(len(self.noise) - n)
        # Some blocks begin as a journal block does and have to be escaped there.
        return (b"\xc0\x3b\x39\x98" if self.r.random() < 0.2 and n > 4 else b"") + self.noise[at:at + n]

    def step(self):
        roll = self.r.random()
        try:
            if roll < 0.30 or not self.files:
                self.create()
            else:
                self.change(self.r.choice(self.files), self.r.randrange(17))
        except OSError:
            pass  # no room, no support, a name that is gone: the machine goes on
        if self.r.random() * 100 < self.sync and self.files:
            fd = os.open(self.r.choice(self.files), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            os.fsync(fd)
            os.close(fd)

    def create(self):
        name, kind = self.fresh(), self.r.random()
        if kind < 0.15:
            os.mkdir(name)
            self.dirs.append(name)
        elif kind < 0.25:
            os.symlink("t" * self.r.choice((5, 59, 60, 300, 900)), name)
        elif kind < 0.30:
            os.mknod(name, 0o020600, os.makedev(self.r.randrange(300), self.r.randrange(70000)))
        else:
            with open(name, "wb") as f:
                f.write(self.data())
            self.files.append(name)

    def change(self, name, what):
        r = self.r
        if what == 0:
            os.unlink(name)
            self.files.remove(name)
        elif what == 1:
            new = self.fresh()
            os.rename(name, new)
            self.files[self.files.index(name)] = new
        elif what == 2:
            new = self.fresh()
            os.link(name, new)
            self.files.append(new)
        elif what in (3, 4):
            with open(name, "ab") as f:
                f.write(self.data())
        elif what == 5:
            with open(name, "r+b") as f:
                f.seek(r.randrange(100000))
                f.write(self.data())
        elif what == 6:
            os.truncate(name, r.choice((0, 10, 4096, 100000, 1 << 22)))
        elif what in (7, 8):
            os.setxattr(name, f"user.k{r.randrange(30)}", self.data()[:r.choice((0, 10, 200, 3000, 60000))])
        elif what == 9:
            os.removexattr(name, f"user.k{r.randrange(30)}")
        elif what == 10:
            os.chmod(name, r.randrange(0o10000))
            os.chown(name, r.randrange(2**32 - 1), r.randrange(2**17))
        elif what == 11:
            os.utime(name, ns=(0, r.randrange(-(10**18), 4 * 10**18)))
        elif what == 12:
            fd = os.open(name, os.O_RDWR)
            self.open.append(fd)
            os.pwrite(fd, self.data(), 0)
            os.unlink(name)
            self.files.remove(name)
        elif what == 13:
            fd = os.open(name, os.O_RDWR)
            off = r.randrange(50) * 4096
            libc.fallocate(fd, r.choice((0, 1, 3, 16)), off, 20 * 4096)
            os.pwrite(fd, self.data(), off)
            os.close(fd)
        elif what == 14:
            new = self.fresh()
            src, dst = os.open(name, os.O_RDONLY), os.open(new, os.O_CREAT | os.O_RDWR)
            try:
                fcntl.ioctl(dst, FICLONE, src)
                os.pwrite(dst, b"changed", r.randrange(10000))
                self.files.append(new)
            finally:
                os.close(src)
                os.close(dst)
        elif what == 15:
            # A directory that grows to many blocks and then loses them.
            top = self.fresh()
            os.mkdir(top)
            for i in range(r.choice((20, 400))):
                os.mknod(f"{top}/{'e' * (i % 100)}{i}")
            if r.random() < 0.5:
                for entry in os.listdir(top):
                    os.unlink(f"{top}/{entry}")
                os.rmdir(top)
        elif what == 16 and r.random() < 0.3:
            os.sync()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("dir")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=100)
    p.add_argument("--sync", type=float, default=5, help="steps of a hundred that are followed by an fsync")
    p.add_argument("--small", action="store_true", help="content that compresses, for images that are committed")
    p.add_argument("--end", default="none")
    p.add_argument("--image")
    p.add_argument("--copy")
    args = p.parse_args()
    top = os.open(args.dir, os.O_RDONLY)
    image, copy = (os.path.abspath(p) if p else None for p in (args.image, args.copy))
    work = os.path.join(args.dir, f"busy-{args.seed}")
    os.mkdir(work)
    os.chdir(work)
    busy = Busy(args)
    for _ in range(args.steps):
        busy.step()
    if args.end in ("copy", "freeze"):
        if args.end == "freeze":
            fcntl.ioctl(top, FIFREEZE, 0)
        copy_still(image, copy)
        if args.end == "freeze":
            fcntl.ioctl(top, FITHAW, 0)
    elif args.end != "none":
        fcntl.ioctl(top, SHUTDOWN, struct.pack("I", FLUSH if args.end == "flush" else NOFLUSH))


if __name__ == "__main__":
    main()
