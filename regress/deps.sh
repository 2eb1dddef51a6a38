#!/bin/sh
# Install what is missing, quietly; say nothing when all is there.
#	deps.sh [build] [check] [demo] [fuzz] [lint]
# Quick when nothing is missing: a few shell built-ins and one pkg-config.
set -u

programs= modules= packages= files=
for set in "${@:-build}"; do
	case $set in
	build)
		programs="$programs cc:gcc make:make pkg-config:pkg-config
		    byacc:byacc"
		modules="$modules libtls:libtls-dev libcrypto:libssl-dev
		    libevent:libevent-dev libarchive:libarchive-dev
		    libbsd-overlay:libbsd-dev
		    libzstd:libzstd-dev jansson:libjansson-dev
		    zlib:zlib1g-dev libcurl:libcurl4-openssl-dev"
		# Elsewhere there is none, and zlib does it.
		case $(uname -m) in
		x86_64|aarch64)	modules="$modules libisal:libisal-dev";;
		esac
		;;
	check)
		programs="$programs curl:curl openssl:openssl jq:jq
		    python3:python3 prove:perl strace:strace
		    mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs
		    mkfs.btrfs:btrfs-progs pgrep:procps unshare:util-linux
		    mount:mount useradd:passwd zstd:zstd
		    signify-openbsd:signify-openbsd zsh:zsh
		    s6-svscan:s6 systemctl:systemd"
		modules="$modules cmocka:libcmocka-dev"
		;;
	demo)
		programs="$programs curl:curl openssl:openssl jq:jq
		    useradd:passwd"
		;;
	fuzz)
		programs="$programs clang:clang python3:python3 node:nodejs
		    npm:npm"
		files="/usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer*"
		;;
	lint)
		programs="$programs mandoc:mandoc cppcheck:cppcheck"
		;;
	*)
		echo "usage: deps.sh [build] [check] [demo] [fuzz] [lint]" >&2
		exit 2
		;;
	esac
done

missing() {
	packages=
	for p in $programs; do
		PATH=$PATH:/usr/sbin:/sbin command -v "${p%%:*}" \
		    >/dev/null 2>&1 || packages="$packages ${p##*:}"
	done
	# the fuzzer is a library of clang's own, not known to pkg-config
	[ -z "$files" ] || ls $files >/dev/null 2>&1 ||
	    packages="$packages libclang-rt-dev"
	all=
	for m in $modules; do
		all="$all ${m%%:*}"
	done
	# One call in the good case; one each to find out which.
	if [ -n "$all" ] && ! pkg-config --exists $all 2>/dev/null; then
		for m in $modules; do
			pkg-config --exists "${m%%:*}" 2>/dev/null ||
			    packages="$packages ${m##*:}"
		done
	fi
	[ -n "$packages" ]
}

if [ "$(uname -s)" != Linux ]; then
	# Base has nearly all of it; what is not there make will name.
	command -v pkg-config >/dev/null 2>&1 && exit 0
	echo "install these packages: libarchive jansson zstd curl" \
	    "(to test also: cmocka jq python3)" >&2
	exit 1
fi

missing || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	echo "missing, by Debian's package names:$packages" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "missing; as root: apt-get install$packages" >&2
	exit 1
fi

echo "installing:$packages"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# Another apt may be at work (first boot): wait for its lock.
get="apt-get -qq -y -o DPkg::Lock::Timeout=120"
install="$get install --no-install-recommends"
if ! $install $packages </dev/null >"$log" 2>&1; then
	# The lists are missing or old.
	if ! { $get update && $install $packages; } </dev/null >"$log" 2>&1
	then
		cat "$log" >&2
		echo "cannot install:$packages" >&2
		exit 1
	fi
fi
if missing; then
	echo "still missing after installation:$packages" >&2
	exit 1
fi
