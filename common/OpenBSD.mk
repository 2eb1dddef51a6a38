# What OpenBSD needs: base has imsg (libutil), libtls and libevent 1.4;
# libarchive, jansson, zstd, curl and (where there is one) isa-l are packages.
OS_PKGS=	libarchive jansson libzstd

DEFLATE=	zlib
DEFLATE_LIB_isal=	-lisal
DEFLATE_LIB_zlib=	-lz

OS_PKGCFLAGS!=	pkg-config --cflags ${OS_PKGS} 2>/dev/null || true
OS_PKGLIBS!=	pkg-config --libs ${OS_PKGS} 2>/dev/null || true
OS_CFLAGS=	-I/usr/local/include ${OS_PKGCFLAGS}
OS_LIBS=	-L/usr/local/lib ${OS_PKGLIBS} ${DEFLATE_LIB_${DEFLATE}} \
		-ltls -lcrypto -levent -lutil -lpthread
OS_CTLLIBS=	-L/usr/local/lib -ljansson -levent -lutil
OS_MASTERLIBS=	-L/usr/local/lib -lcurl -larchive -ljansson -lssl -lcrypto \
		-levent -lz
OS_HARDEN=
OS_LDFLAGS=

YACC=		yacc

OS_COMMON=	
OS_OBJS=	common/compat/beneath-openbsd.o common/compat/beneath-walk.o \
		common/compat/cgwatch-openbsd.o \
		common/compat/contain-openbsd.o \
		common/compat/dirwatch-openbsd.o \
		common/compat/farwatch-openbsd.o \
		common/compat/osproc-openbsd.o \
		common/compat/pidwatch-openbsd.o \
		common/compat/procgroup-openbsd.o \
		common/compat/sandbox-openbsd.o \
		common/compat/scanmount-openbsd.o
OS_FUZZLIBS=	${OS_LIBS}
