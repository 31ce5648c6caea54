#!/usr/bin/env python3
"""Prints the manifest of a tar archive as Python's tarfile reads it: one JSON
object an entry, as package manifest has it, without attributes.

	tarlist.py ARCHIVE
"""
import hashlib
import json
import os
import sys
import tarfile

KINDS = {
    tarfile.DIRTYPE: 0o040000, tarfile.SYMTYPE: 0o120000, tarfile.CHRTYPE: 0o020000,
    tarfile.BLKTYPE: 0o060000, tarfile.FIFOTYPE: 0o010000,
}
PLAIN_LIMIT, PAGE = 64 << 20, 4096


def escape(name):
    """As strconv.QuoteToASCII writes it, less the quotes."""
    out, raw = [], os.fsencode(name)
    text = raw.decode("utf-8", "surrogateescape")
    for c in text:
        n = ord(c)
        if 0xDC80 <= n <= 0xDCFF:
            out.append("\\x%02x" % (n - 0xDC00))
        elif c in "\a\b\f\n\r\t\v":
            out.append("\\" + "abfnrtv"["\a\b\f\n\r\t\v".index(c)])
        elif c == "\\":
            out.append("\\\\")
        elif 0x20 <= n < 0x7F:
            out.append(c)
        elif n < 0x80:
            out.append("\\x%02x" % n)
        else:
            out.append("\\u%04x" % n if n < 0x10000 else "\\U%08x" % n)
    return "".join(out)


def digest(archive, member):
    if member.size <= PLAIN_LIMIT:
        return hashlib.sha256(archive.extractfile(member).read()).hexdigest()
    h, f = hashlib.sha256(), archive.extractfile(member)
    for off, length in member.sparse or [(0, member.size)]:
        at = off // PAGE * PAGE
        while at < off + length:
            f.seek(at)
            page = f.read(min(PAGE, member.size - at))
            if page.strip(b"\0"):
                h.update(at.to_bytes(8, "little") + page)
            at += PAGE
    return "sparse:" + h.hexdigest()


def main():
    with tarfile.open(sys.argv[1], "r:", encoding="utf-8", errors="surrogateescape") as archive:
        for m in archive:
            sec, _, frac = m.pax_headers.get("mtime", str(int(m.mtime))).partition(".")
            nsec = int((frac + "000000000")[:9])
            if sec.startswith("-") and nsec:  # a negative fraction counts backwards
                sec, nsec = int(sec) - 1, 10**9 - nsec
            e = {"path": escape(m.name.removeprefix("./") or "."), "uid": m.uid, "gid": m.gid, "sec": int(sec), "nsec": nsec}
            if m.type == tarfile.LNKTYPE:
                e["link"] = escape(m.linkname.removeprefix("./"))
            else:
                e["mode"] = "%06o" % (m.mode | KINDS.get(m.type, 0o100000))
            if m.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
                e["rdev"] = f"{m.devmajor}:{m.devminor}"
            elif m.type == tarfile.SYMTYPE:
                e["target"] = escape(m.linkname)
            elif m.isreg():
                e["size"], e["digest"] = m.size, digest(archive, m)
            json.dump(e, sys.stdout)
            print()


if __name__ == "__main__":
    main()
