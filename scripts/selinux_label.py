#!/usr/bin/env python3
"""Labels every file below a mounted tree as RHEL's targeted policy would,
nearly enough: the value of security.selinux by path prefix."""
import os
import sys

RULES = [  # first match wins
    ("/boot", "boot_t"),
    ("/etc/shadow", "shadow_t"),
    ("/etc/passwd", "passwd_file_t"),
    ("/etc/selinux", "selinux_config_t"),
    ("/etc/ssh/ssh_host", "sshd_key_t"),
    ("/etc/systemd/system", "systemd_unit_file_t"),
    ("/etc", "etc_t"),
    ("/home", "user_home_t"),
    ("/root", "admin_home_t"),
    ("/usr/bin", "bin_t"),
    ("/usr/sbin", "bin_t"),
    ("/usr/lib/systemd", "systemd_unit_file_t"),
    ("/usr/lib/modules", "modules_object_t"),
    ("/usr/lib", "lib_t"),
    ("/usr/share/man", "man_t"),
    ("/usr/share/locale", "locale_t"),
    ("/usr", "usr_t"),
    ("/var/log", "var_log_t"),
    ("/var/lib", "var_lib_t"),
    ("/var/cache", "var_t"),
    ("/var", "var_t"),
    ("/tmp", "tmp_t"),
]


def label(path):
    for prefix, kind in RULES:
        if path == prefix or path.startswith(prefix + "/") or (path.startswith(prefix) and prefix.count("/") > 2):
            return kind
    return "default_t" if path != "/" else "root_t"


def main():
    top = os.fsencode(sys.argv[1]).rstrip(b"/")
    for base, dirs, files in os.walk(top):
        for name in [b"."] + dirs + files:
            full = base if name == b"." else os.path.join(base, name)
            inside = os.fsdecode(full[len(top):]) or "/"
            value = b"system_u:object_r:%s:s0\0" % label(inside).encode()
            os.setxattr(full, "security.selinux", value, follow_symlinks=False)


if __name__ == "__main__":
    main()
