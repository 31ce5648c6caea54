#!/bin/sh
# First start of this distribution: make the default user, whose id is 1000.
# WSL runs this as root before the first shell; if it fails, again next time.

uid=1000

name_of_uid() {
    while IFS=: read -r name _ id _; do
        if [ "$id" = "$uid" ]; then
            printf '%s\n' "$name"
            return 0
        fi
    done < /etc/passwd
    return 1
}

# cloud-init may be making the user at this moment.
if [ -d /run/systemd/system ] && [ ! -e /etc/cloud/cloud-init.disabled ] &&
    command -v cloud-init > /dev/null 2>&1; then
    echo 'Waiting for cloud-init ...'
    if command -v timeout > /dev/null 2>&1; then
        timeout 600 cloud-init status --wait > /dev/null 2>&1
    else
        cloud-init status --wait > /dev/null 2>&1
    fi
fi

if name_of_uid > /dev/null; then
    exit 0
fi

login_shell=/bin/sh
for candidate in /bin/bash /usr/bin/bash /bin/ash; do
    if [ -x "$candidate" ]; then
        login_shell=$candidate
        break
    fi
done

make_user() {
    if command -v useradd > /dev/null 2>&1; then
        useradd --create-home --user-group --uid "$uid" --shell "$login_shell" "$1"
    else # busybox
        adduser -D -u "$uid" -s "$login_shell" "$1"
    fi
}

join_group() {
    if command -v usermod > /dev/null 2>&1; then
        usermod --append --groups "$2" "$1"
    else
        addgroup "$1" "$2"
    fi
}

echo 'Please create a default user account. Its name need not match your Windows user name.'
while :; do
    printf 'User name: '
    IFS= read -r name || exit 1
    case $name in
    '' | [!a-z_]* | *[!a-z0-9_-]*)
        echo 'A name has lower-case letters, digits, _ and -, and starts with a letter or _.'
        continue
        ;;
    esac
    if [ "${#name}" -gt 32 ]; then
        echo 'A name has at most 32 characters.'
        continue
    fi
    if id "$name" > /dev/null 2>&1; then
        echo 'This name is taken.'
        continue
    fi
    make_user "$name" && break
done

for group in sudo wheel; do
    if grep -q "^$group:" /etc/group; then
        join_group "$name" "$group"
    fi
done

tries=3
until passwd "$name"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
        echo "No password set. Set one later with: wsl -u root passwd $name"
        break
    fi
done
exit 0
