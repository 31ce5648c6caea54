#!/bin/sh
# Stands for WSL's /init, by that name or by wslpath, in what cloud-init asks of
# it: the distribution's name, a path of Windows as one of Linux, and the output
# of cmd.exe for echo.%USERPROFILE%, in UTF-16 with /U.
case ${0##*/}:$1 in
wslpath:-am) echo "//wsl.localhost/$(cat /run/wslname)/" ;;
wslpath:-au) printf '/mnt/c%s\n' "$(printf %s "${2#?:}" | tr '\\' /)" ;;
init:*/cmd.exe)
	case " $* " in
	*' /U '* | *' /u '*) printf 'C:\\Users\\Jo Doe\r\n' | iconv -t UTF-16LE ;;
	*) printf 'C:\\Users\\Jo Doe\r\n' ;;
	esac
	;;
*)
	echo "wslinit.sh: unexpected: $0 $*" >&2
	exit 1
	;;
esac
