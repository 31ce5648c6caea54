#!/usr/bin/env python3
"""Makes an encrypted directory with a few files on a mounted filesystem.

	encrypt.py DIR
"""
import fcntl
import os
import struct
import sys

# linux/fscrypt.h
FS_IOC_ADD_ENCRYPTION_KEY = 0xC0506617
FS_IOC_SET_ENCRYPTION_POLICY = 0x800C6613
KEY_SPEC_TYPE_IDENTIFIER = 2
AES_256_XTS, AES_256_CTS = 1, 4

top = os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY)
key = bytes(range(64))
arg = bytearray(struct.pack("<II32sII32s", KEY_SPEC_TYPE_IDENTIFIER, 0, b"", len(key), 0, b"") + key)
fcntl.ioctl(top, FS_IOC_ADD_ENCRYPTION_KEY, arg)
identifier = bytes(arg[8:24])
os.mkdir(sys.argv[1])
fd = os.open(sys.argv[1], os.O_RDONLY)
# fscrypt_policy_v2; flags: file names padded to 32 bytes
fcntl.ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, struct.pack("<BBBB4x16s", 2, AES_256_XTS, AES_256_CTS, 3, identifier))
for i in range(3):
    with open(f"{sys.argv[1]}/secret-{i}", "w") as f:
        f.write("secret\n" * 1000)
