# updaterd: no configure; GNU make and BSD make.
#
#	make			build updaterd, updaterctl and updatermaster
#	make deps		install what is missing to build and to test
#	make check		all tests (as root)
#	make fault		kills and errors at every step, attacks, lies:
#				an hour and more
#	make soak N=10000	so many updates in a row: does anything grow?
#	make soak-self N=1000	so many updates of updaterd itself, under load
#	make fuzz T=60		each fuzz harness for so many seconds
#	make demo		see it work, in seconds (as root)
#	make install		DESTDIR= PREFIX=/usr/local
#	make lint bench clean uninstall
#
# CFLAGS and LDFLAGS from the command line come behind our own, so that
# make CFLAGS="-O1 -g -fsanitize=address,undefined" check
# works; a change of flags builds everything again.

OS!=		uname -s
include common/${OS}.mk

N=		10000
OTHER=		0.1.0-other
PREFIX=		/usr/local
MANDIR=		${PREFIX}/share/man
UNITDIR=	${PREFIX}/lib/systemd/system
SYSUSERSDIR=	${PREFIX}/lib/sysusers.d
TMPFILESDIR=	${PREFIX}/lib/tmpfiles.d
EXAMPLESDIR=	${PREFIX}/share/examples/updaterd
BASHDIR=	${PREFIX}/share/bash-completion/completions
ZSHDIR=		${PREFIX}/share/zsh/site-functions

WARN=		-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
		-Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter
# Fortified functions hide from the sanitizers what they look for, and they
# know who allocated by the frame pointers only (regress/lsan.supp).
FORTIFY!=	case "${CFLAGS}" in \
		*sanitize*) echo -fno-omit-frame-pointer;; \
		*) echo -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2;; esac
HARDEN=		${FORTIFY} -fstack-protector-strong -fPIE ${OS_HARDEN}
INC=		-Icommon -Icommon/compat -Iupdaterd
ALL_CFLAGS=	-std=gnu11 -D_GNU_SOURCE -O2 -g ${WARN} ${HARDEN} ${INC} \
		${OS_CFLAGS} ${CFLAGS}
ALL_LDFLAGS=	-pie ${OS_LDFLAGS} ${CFLAGS} ${LDFLAGS}
# What yacc writes is not ours to clean.
YACC_CFLAGS=	-Wno-shadow -Wno-strict-prototypes -Wno-missing-prototypes \
		-Wno-unused-function -Wno-unused-but-set-variable

COMMON=		common/error.o common/imsgev.o common/log.o \
		common/profile.o common/proto.o \
		common/relkey.o common/util.o ${OS_COMMON}

MAIN=		updaterd/check.o updaterd/config.o updaterd/keyfile.o \
		updaterd/lex.o updaterd/macro.o updaterd/orders.o \
		updaterd/parse.o updaterd/percent.o updaterd/printconf.o \
		updaterd/proc.o updaterd/sandbox.o updaterd/setting.o \
		updaterd/syntax.o updaterd/unitname.o updaterd/updaterd.o \
		updaterd/value.o

PARENT=		updaterd/parent/asked.o updaterd/parent/audit.o \
		updaterd/parent/backend.o \
		updaterd/parent/children.o \
		updaterd/parent/command.o \
		updaterd/parent/contain.o updaterd/parent/control.o \
		updaterd/parent/death.o updaterd/parent/describe.o \
		updaterd/parent/dump.o updaterd/parent/expand.o \
		updaterd/parent/expiry.o updaterd/parent/ghost.o \
		updaterd/parent/guard.o updaterd/parent/handover.o \
		updaterd/parent/health.o updaterd/parent/heard.o \
		updaterd/parent/herald.o \
		updaterd/parent/history.o updaterd/parent/identity.o \
		updaterd/parent/inquiry.o \
		updaterd/parent/instance.o \
		updaterd/parent/intent.o updaterd/parent/journal.o \
		updaterd/parent/judge.o \
		updaterd/parent/launch.o updaterd/parent/ledger.o \
		updaterd/parent/listen.o \
		updaterd/parent/logfile.o \
		updaterd/parent/lookout.o updaterd/parent/metrics.o \
		updaterd/parent/native.o updaterd/parent/netconf.o \
		updaterd/parent/netcount.o updaterd/parent/note.o \
		updaterd/parent/observe.o updaterd/parent/operate.o \
		updaterd/parent/ops.o updaterd/parent/orphan.o \
		updaterd/parent/outcome.o updaterd/parent/parent.o \
		updaterd/parent/echo.o \
		updaterd/parent/once.o \
		updaterd/parent/plan.o \
		updaterd/parent/pass.o updaterd/parent/pidfile.o \
		updaterd/parent/prepare.o \
		updaterd/parent/probing.o updaterd/parent/prom.o \
		updaterd/parent/promote.o updaterd/parent/publish.o \
		updaterd/parent/push.o updaterd/parent/quiet.o \
		updaterd/parent/rcctl.o \
		updaterd/parent/reap.o \
		updaterd/parent/receive.o \
		updaterd/parent/reconcile.o updaterd/parent/record.o \
		updaterd/parent/recover.o updaterd/parent/release.o \
		updaterd/parent/reload.o \
		updaterd/parent/remains.o \
		updaterd/parent/request.o \
		updaterd/parent/seat.o \
		updaterd/parent/roster.o updaterd/parent/rights.o \
		updaterd/parent/rundir.o \
		updaterd/parent/s6.o updaterd/parent/s6given.o \
		updaterd/parent/s6look.o \
		updaterd/parent/s6loss.o \
		updaterd/parent/s6record.o \
		updaterd/parent/s6scan.o updaterd/parent/s6slot.o \
		updaterd/parent/scandir.o \
		updaterd/parent/scrape.o updaterd/parent/sdnotify.o \
		updaterd/parent/selfboot.o updaterd/parent/selfpush.o \
		updaterd/parent/selfreturn.o updaterd/parent/selfstate.o \
		updaterd/parent/selftrial.o \
		updaterd/parent/service.o updaterd/parent/slot.o \
		updaterd/parent/staging.o updaterd/parent/startcheck.o \
		updaterd/parent/status.o \
		updaterd/parent/store.o updaterd/parent/stray.o \
		updaterd/parent/svstat.o \
		updaterd/parent/systemctl.o updaterd/parent/systemd.o \
		updaterd/parent/tally.o \
		updaterd/parent/task.o updaterd/parent/tree.o \
		updaterd/parent/trial.o updaterd/parent/trialclock.o \
		updaterd/parent/trust.o \
		updaterd/parent/unitfile.o \
		updaterd/parent/unitleave.o updaterd/parent/unitlog.o \
		updaterd/parent/unitlook.o \
		updaterd/parent/unitrecord.o updaterd/parent/unitstate.o \
		updaterd/parent/update.o \
		updaterd/parent/users.o updaterd/parent/utf8.o \
		updaterd/parent/verdict.o updaterd/parent/walk.o \
		updaterd/parent/withdraw.o updaterd/parent/worker.o

NET=		updaterd/net/addr.o updaterd/net/api.o updaterd/net/body.o \
		updaterd/net/conn.o updaterd/net/http.o updaterd/net/json.o \
		updaterd/net/listen.o updaterd/net/multipart.o \
		updaterd/net/net.o updaterd/net/option.o \
		updaterd/net/query.o updaterd/net/relay.o \
		updaterd/net/reply.o updaterd/net/route.o updaterd/net/tls.o \
		updaterd/net/trust.o updaterd/net/upload.o

PROBE=		updaterd/probe/check.o updaterd/probe/probe.o \
		updaterd/probe/reply.o updaterd/probe/target.o

INFLATE=	updaterd/inflate/ahead.o updaterd/inflate/deflate_${DEFLATE}.o \
		updaterd/inflate/gzip.o updaterd/inflate/inflate.o \
		updaterd/inflate/signify.o updaterd/inflate/stream.o \
		updaterd/inflate/unzstd.o

UNPACK=		updaterd/unpack/diff.o updaterd/unpack/entry.o \
		updaterd/unpack/extract.o updaterd/unpack/frame.o \
		updaterd/unpack/manifest.o updaterd/unpack/manifest_io.o \
		updaterd/unpack/names.o updaterd/unpack/pax.o \
		updaterd/unpack/report.o updaterd/unpack/source.o \
		updaterd/unpack/tarname.o updaterd/unpack/unpack.o \
		updaterd/unpack/verify.o updaterd/unpack/walk.o \
		updaterd/unpack/writer.o

PROFILE=	updaterd/profile/profile.o updaterd/profile/rlog.o \
		updaterd/profile/statefile.o updaterd/profile/visit.o

UPDATERD=	${COMMON} common/pemdate.o ${OS_OBJS} ${MAIN} ${PARENT} ${NET} ${PROBE} \
		${INFLATE} ${UNPACK} ${PROFILE}

UPDATERCTL=	common/error.o common/log.o common/proto.o common/text.o \
		common/util.o ${OS_COMMON} updaterctl/client.o \
		updaterctl/output.o updaterctl/profiles.o updaterctl/status.o \
		updaterctl/updaterctl.o

UPDATERMASTER=	common/error.o common/log.o common/proto.o common/relkey.o \
		common/text.o common/util.o ${OS_COMMON} \
		updatermaster/archive.o updatermaster/ask.o \
		updatermaster/bundle.o updatermaster/ca.o \
		updatermaster/choose.o updatermaster/client.o \
		updatermaster/crl.o updatermaster/deliver.o \
		updatermaster/deliverself.o updatermaster/enroll.o \
		updatermaster/gitsha.o updatermaster/hosts.o \
		updatermaster/ignore.o updatermaster/inventory.o \
		updatermaster/keypair.o updatermaster/listing.o \
		updatermaster/outcome.o updatermaster/pack.o \
		updatermaster/packing.o updatermaster/passkey.o \
		updatermaster/pem.o updatermaster/push.o \
		updatermaster/query.o updatermaster/record.o \
		updatermaster/report.o updatermaster/results.o \
		updatermaster/rollout.o updatermaster/secrets.o \
		updatermaster/show.o updatermaster/sign.o \
		updatermaster/signing.o updatermaster/spool.o \
		updatermaster/stays.o \
		updatermaster/transfer.o updatermaster/updatermaster.o \
		updatermaster/watch.o

HDRS!=		find common updaterd updaterctl updatermaster -name '*.h'
# Rewritten only when the flags differ from those of the last build.
FLAGS!=		f='${CC} ${CFLAGS} ${LDFLAGS} ${DEFLATE}'; \
		test "`cat .buildflags 2>/dev/null`" = "$$f" || \
		echo "$$f" > .buildflags; echo .buildflags

# --- what is for people -----------------------------------------------

all:
	@sh regress/deps.sh build
	@${MAKE} programs

deps:
	@sh regress/deps.sh build check

check:
	@sh regress/deps.sh build check
	@${MAKE} programs regress/agent/agent regress/self/updaterd \
	    ${OS_FAULT}
	@env MAKE="${MAKE}" CC="${CC}" CFLAGS="${CFLAGS}" \
	    LDFLAGS="${LDFLAGS}" DEFLATE="${DEFLATE}" TEST_CFLAGS="${ALL_CFLAGS}" \
	    TEST_LIBS="${ALL_LDFLAGS} ${OS_LIBS}" sh regress/run.sh ${TESTS}

fault:
	@sh regress/deps.sh build check
	@${MAKE} programs regress/agent/agent regress/self/updaterd \
	    ${OS_FAULT}
	@env FULL=1 FAULT_POINTS=0 FAULT_LANES="$${FAULT_LANES:-2}" \
	    prove -v -e '' regress/fault/*.sh

soak:
	@sh regress/deps.sh build check
	@${MAKE} programs regress/agent/agent
	@env SOAK_N="${N}" prove -v -e '' regress/fault/soak.sh

soak-self:
	@sh regress/deps.sh build check
	@${MAKE} programs regress/agent/agent regress/self/updaterd
	@env SELF_N="${N}" prove -v -e '' regress/fault/self.sh

# FUZZ="http body" for some of them; regress/README says more.
fuzz:
	@sh regress/deps.sh build fuzz
	@env FUZZ_CFLAGS="-std=gnu11 -D_GNU_SOURCE ${WARN} ${INC} \
	    ${OS_CFLAGS}" FUZZ_LIBS="${OS_FUZZLIBS}" YACC="${YACC}" \
	    T="${T}" sh regress/fuzz/run.sh ${FUZZ}

demo:
	@sh regress/deps.sh build demo
	@${MAKE} programs regress/agent/agent
	@sh regress/demo.sh

bench:
	@sh regress/deps.sh build check
	@${MAKE} programs regress/agent/agent
	@sh regress/bench/run.sh
	@sh regress/bench/services.sh
	@sh regress/bench/slots.sh
	@sh regress/bench/signed.sh
	@sh regress/bench/master.sh

lint:
	@sh regress/deps.sh build lint
	@${MAKE} programs
	@env TIDY_CFLAGS="-std=gnu11 -D_GNU_SOURCE ${INC} ${OS_CFLAGS}" \
	    sh regress/lint.sh

install: all
	mkdir -p ${DESTDIR}${PREFIX}/sbin ${DESTDIR}${MANDIR}/man5 \
	    ${DESTDIR}${MANDIR}/man8 ${DESTDIR}${EXAMPLESDIR} \
	    ${DESTDIR}${BASHDIR} ${DESTDIR}${ZSHDIR}
	install -m 0755 updaterd/updaterd updaterctl/updaterctl \
	    updatermaster/updatermaster ${DESTDIR}${PREFIX}/sbin/
	for p in updaterd updaterctl updatermaster; do \
		install -m 0644 etc/completions/$$p.bash \
		    ${DESTDIR}${BASHDIR}/$$p && \
		install -m 0644 etc/completions/_$$p ${DESTDIR}${ZSHDIR}/ || \
		exit 1; \
	done
	install -m 0644 updaterd/updaterd.conf.5 ${DESTDIR}${MANDIR}/man5/
	install -m 0644 updaterd/updaterd.8 updaterctl/updaterctl.8 \
	    updatermaster/updatermaster.8 ${DESTDIR}${MANDIR}/man8/
	install -m 0644 etc/updaterd.conf etc/updaterd.rc \
	    ${DESTDIR}${EXAMPLESDIR}/
	@case ${OS} in Linux) ${MAKE} install-systemd;; esac

install-systemd:
	mkdir -p ${DESTDIR}${UNITDIR} ${DESTDIR}${SYSUSERSDIR} \
	    ${DESTDIR}${TMPFILESDIR}
	sed 's|/usr/local/sbin/|${PREFIX}/sbin/|' etc/updaterd.service \
	    > ${DESTDIR}${UNITDIR}/updaterd.service
	chmod 0644 ${DESTDIR}${UNITDIR}/updaterd.service
	install -m 0644 etc/updaterd.sysusers \
	    ${DESTDIR}${SYSUSERSDIR}/updaterd.conf
	install -m 0644 etc/updaterd.tmpfiles \
	    ${DESTDIR}${TMPFILESDIR}/updaterd.conf

uninstall:
	rm -f ${DESTDIR}${PREFIX}/sbin/updaterd \
	    ${DESTDIR}${PREFIX}/sbin/updaterctl \
	    ${DESTDIR}${PREFIX}/sbin/updatermaster \
	    ${DESTDIR}${MANDIR}/man5/updaterd.conf.5 \
	    ${DESTDIR}${MANDIR}/man8/updaterd.8 \
	    ${DESTDIR}${MANDIR}/man8/updaterctl.8 \
	    ${DESTDIR}${MANDIR}/man8/updatermaster.8 \
	    ${DESTDIR}${BASHDIR}/updaterd ${DESTDIR}${BASHDIR}/updaterctl \
	    ${DESTDIR}${BASHDIR}/updatermaster \
	    ${DESTDIR}${ZSHDIR}/_updaterd ${DESTDIR}${ZSHDIR}/_updaterctl \
	    ${DESTDIR}${ZSHDIR}/_updatermaster \
	    ${DESTDIR}${EXAMPLESDIR}/updaterd.conf \
	    ${DESTDIR}${EXAMPLESDIR}/updaterd.rc \
	    ${DESTDIR}${UNITDIR}/updaterd.service \
	    ${DESTDIR}${SYSUSERSDIR}/updaterd.conf \
	    ${DESTDIR}${TMPFILESDIR}/updaterd.conf
	-rmdir ${DESTDIR}${EXAMPLESDIR} 2>/dev/null

clean:
	find common updaterd updaterctl updatermaster regress -name '*.o' \
	    -exec rm -f {} +
	find common updaterd regress -name '*.[tv]o' -exec rm -f {} +
	find regress/unit -name 'test_*' ! -name '*.*' -exec rm -f {} +
	rm -f updaterd/updaterd updaterd/parse.c updaterctl/updaterctl \
	    updatermaster/updatermaster \
	    regress/agent/agent ${OS_FAULT} regress/archive/drive .buildflags
	rm -rf regress/fuzz/build regress/self

# --- how it is built; `make -n` shows the whole commands ---------------

programs: updaterd/updaterd updaterctl/updaterctl \
	updatermaster/updatermaster

updaterd/updaterd: ${UPDATERD}
	@echo "ld $@"
	@${CC} -o $@ ${UPDATERD} ${ALL_LDFLAGS} ${OS_LIBS}

updaterctl/updaterctl: ${UPDATERCTL}
	@echo "ld $@"
	@${CC} -o $@ ${UPDATERCTL} ${ALL_LDFLAGS} ${OS_CTLLIBS}

updatermaster/updatermaster: ${UPDATERMASTER}
	@echo "ld $@"
	@${CC} -o $@ ${UPDATERMASTER} ${ALL_LDFLAGS} ${OS_MASTERLIBS}

TRACER_C=		regress/fault/spoil.c regress/fault/tracer.c

regress/fault/tracer: regress/fault/calls.h regress/fault/spoil.h ${TRACER_C} \
	${FLAGS}
	@echo "cc $@"
	@${CC} -o $@ ${ALL_CFLAGS} ${TRACER_C} ${ALL_LDFLAGS} ${OS_LIBS}

regress/fault/clockstep: ${UPDATERD} regress/fault/clockstep.c
	@echo "cc $@"
	@${CC} -o $@ ${ALL_CFLAGS} regress/fault/clockstep.c ${UPDATERD} \
	    ${ALL_LDFLAGS} ${OS_LIBS}

regress/fault/nomem: ${UPDATERD} regress/fault/nomem.c
	@echo "cc $@"
	@${CC} -o $@ ${ALL_CFLAGS} regress/fault/nomem.c ${UPDATERD} \
	    ${ALL_LDFLAGS} ${OS_LIBS}

# The daemon that faults are tried on: where a source has something for
# -DSANDBOX_TEST it is compiled once more, the rest is that of the daemon.
FAULT_TO=	common/compat/sandbox-linux.to common/compat/seccomp-linux.to \
		regress/fault/attack.to updaterd/parent/children.to \
		updaterd/parent/inquiry.to updaterd/parent/receive.to \
		updaterd/proc.to updaterd/sandbox.to
FAULT_O=	common/compat/imsg.o common/error.o common/proto.o \
		common/util.o
LIAR=		regress/fault/liar.c regress/fault/liar_net.c \
		regress/fault/liar_push.c regress/fault/liar_work.c ${FAULT_O}

regress/fault/updaterd: ${UPDATERD} ${FAULT_TO}
	@echo "ld $@"
	@${CC} -o $@ ${FAULT_TO} `for o in ${UPDATERD}; do case \
	    " ${FAULT_TO} " in *" $${o%.o}.to "*) ;; *) echo $$o;; esac; \
	    done` ${ALL_LDFLAGS} ${OS_LIBS}

regress/fault/liar: ${LIAR} regress/fault/liar.h regress/fault/liar_net.h
	@echo "cc $@"
	@${CC} -o $@ ${ALL_CFLAGS} ${LIAR} ${ALL_LDFLAGS} ${OS_LIBS}

regress/fault/forger: regress/fault/forger.c ${FAULT_O}
	@echo "cc $@"
	@${CC} -o $@ ${ALL_CFLAGS} regress/fault/forger.c ${FAULT_O} \
	    ${ALL_LDFLAGS} ${OS_LIBS}

regress/fault/suid: regress/fault/suid.c regress/fault/attack.h ${FLAGS}
	@echo "cc $@"
	@${CC} -o $@ ${ALL_CFLAGS} regress/fault/suid.c ${ALL_LDFLAGS}

regress/fault/confine: regress/fault/confine.c ${FAULT_O} \
	regress/fault/attack.h
	@echo "cc $@"
	@${CC} -o $@ ${ALL_CFLAGS} regress/fault/confine.c ${FAULT_O} \
	    ${ALL_LDFLAGS} ${OS_LIBS}

${FAULT_TO}: ${HDRS} regress/fault/attack.h ${FLAGS}

# The same daemon as another version, to update it to and fro.
OTHER_VO=	updaterd/updaterd.vo updaterd/net/api.vo \
		updaterd/parent/metrics.vo updaterd/parent/status.vo \
		updaterd/probe/target.vo

regress/self/updaterd: ${UPDATERD} ${OTHER_VO}
	@echo "ld $@"
	@mkdir -p regress/self
	@${CC} -o $@ ${OTHER_VO} `for o in ${UPDATERD}; do case \
	    " ${OTHER_VO} " in *" $${o%.o}.vo "*) ;; *) echo $$o;; esac; \
	    done` ${ALL_LDFLAGS} ${OS_LIBS}

${OTHER_VO}: ${HDRS} ${FLAGS}

regress/agent/agent: regress/agent/agent.c ${FLAGS}
	@echo "cc $@"
	@${CC} -o $@ ${ALL_CFLAGS} regress/agent/agent.c ${ALL_LDFLAGS} \
	    ${OS_LIBS}

updaterd/parse.c: updaterd/parse.y
	@echo "yacc $@"
	@${YACC} -o $@ updaterd/parse.y

updaterd/parse.o: updaterd/parse.c
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} ${YACC_CFLAGS} -c -o $@ updaterd/parse.c

${UPDATERD} ${UPDATERCTL} ${UPDATERMASTER}: ${HDRS} ${FLAGS}

.SUFFIXES:
.SUFFIXES: .c .o .to .vo
.c.o:
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} -c -o $@ $<

.c.to:
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} -Iregress/fault -DSANDBOX_TEST -c -o $@ $<

.c.vo:
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} -DUPD_VERSION='"${OTHER}"' -c -o $@ $<

.PHONY: all deps check fault soak soak-self fuzz demo bench lint install \
	install-systemd uninstall clean programs
