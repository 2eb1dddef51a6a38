# What Linux needs.  pkg-config may still be missing while `make deps` is
# what is going to install it: its lines then come out empty and are read
# again by the make that the top-level targets start after deps.
OS_PKGS=	libtls libcrypto libevent libarchive libbsd-overlay libzstd jansson
OS_CTLPKGS=	libevent libbsd-overlay jansson
OS_MASTERPKGS=	libcurl libssl libcrypto libevent libarchive zlib libbsd-overlay jansson

DEFLATE!=	pkg-config --exists libisal 2>/dev/null && echo isal || echo zlib
DEFLATE_LIB_isal=	-lisal
DEFLATE_LIB_zlib=	-lz

OS_CFLAGS!=	pkg-config --cflags ${OS_PKGS} 2>/dev/null || true
OS_PKGLIBS!=	pkg-config --libs ${OS_PKGS} 2>/dev/null || true
# libbsd-ctor makes setproctitle(3) work, by a call before main(); a second
# one would undo it.
OS_CTORLIB!=	pkg-config --libs libbsd-ctor 2>/dev/null || true
OS_LIBS=	${OS_PKGLIBS} ${OS_CTORLIB} ${DEFLATE_LIB_${DEFLATE}} -lpthread
OS_CTLLIBS!=	pkg-config --libs ${OS_CTLPKGS} 2>/dev/null || true
OS_MASTERLIBS!=	pkg-config --libs ${OS_MASTERPKGS} 2>/dev/null || true

# gcc knows -fcf-protection on x86 only.
OS_CF!=		case `uname -m` in x86_64) echo -fcf-protection;; esac
OS_HARDEN=	-fstack-clash-protection ${OS_CF}
OS_LDFLAGS=	-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

YACC=		byacc

OS_COMMON=	common/compat/imsg.o
OS_OBJS=	common/compat/beneath-linux.o common/compat/beneath-walk.o \
		common/compat/cgwatch-linux.o common/compat/contain-linux.o \
		common/compat/dirwatch-linux.o \
		common/compat/farwatch-linux.o \
		common/compat/landlock-linux.o \
		common/compat/osproc-linux.o common/compat/pidwatch-linux.o \
		common/compat/procgroup-linux.o \
		common/compat/sandbox-linux.o common/compat/scanmount-linux.o \
		common/compat/seccomp-linux.o
# For the tests: what watches system calls, and runs out of memory.
OS_FAULT=	regress/fault/clockstep regress/fault/confine \
		regress/fault/forger regress/fault/liar regress/fault/nomem \
		regress/fault/suid regress/fault/tracer regress/fault/updaterd
OS_FUZZLIBS=	-Wl,--as-needed ${OS_PKGLIBS} -lpthread
