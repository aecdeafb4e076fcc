# SPDX-License-Identifier: BSD-2-Clause
# Programs that measure: `make bench` builds and runs them, `make check` does not.  Each prints one JSON object a line: name, value,
# unit, and ratio with against where there is one.
bench_programs = tests/bench/policy tests/bench/verify
if POSTERND
bench_programs += tests/bench/door_relay tests/bench/issuer tests/bench/tally
bench_scripts = revoke door actions
bench_needs = $(bench_helpers) posternd postern tests/support/token_tool
endif
bench_helpers = tests/bench/splice tests/bench/traffic
if SASL_PLUGIN
bench_helpers += tests/bench/login_driver
endif
EXTRA_PROGRAMS += $(bench_programs) $(bench_helpers)
CLEANFILES += $(bench_programs) $(bench_helpers) tests/bench/verify_peers/*.so
EXTRA_DIST += tests/bench/README.md tests/bench/actions tests/bench/door tests/bench/login tests/bench/login_measure.py tests/bench/revoke tests/bench/peers \
	tests/bench/verify_peers/build tests/bench/verify_peers/cjose.c \
	tests/bench/verify_peers/jansson_claims.h tests/bench/verify_peers/jose.c \
	tests/bench/verify_peers/libjwt.c tests/bench/verify_peers/rhonabwy.c
tests_bench_policy_SOURCES = tests/bench/policy.c
tests_bench_policy_LDADD = $(unit_ldadd)
tests_bench_verify_SOURCES = tests/bench/verify.c tests/bench/verify_many.c tests/bench/verify_many.h \
	tests/bench/verify_peers.c tests/bench/verify_peers.h tests/bench/verify_rig.c \
	tests/bench/verify_rig.h tests/bench/verify_peers/peer.h
tests_bench_verify_LDADD = $(unit_ldadd) -lpthread
tests_bench_door_relay_SOURCES = tests/bench/door_relay.c
tests_bench_door_relay_CPPFLAGS = $(door_cppflags)
tests_bench_door_relay_LDADD = $(sidecar_libs) -lpthread
tests_bench_tally_SOURCES = tests/bench/tally.c
tests_bench_tally_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar
tests_bench_tally_LDADD = $(sidecar_libs)
tests_bench_issuer_SOURCES = tests/bench/issuer.c
tests_bench_issuer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/sidecar $(SSL_CFLAGS)
tests_bench_issuer_LDADD = tests/support/libsupport.la $(sidecar_libs)
tests_bench_login_driver_SOURCES = tests/bench/login_driver.c
tests_bench_login_driver_CPPFLAGS = $(AM_CPPFLAGS) $(SASL_CFLAGS) $(JSONC_CFLAGS)
tests_bench_login_driver_LDADD = tests/support/libsupport.la lib/libclientcore.la $(SASL_LIBS) $(JSONC_LIBS) $(OPENSSL_LIBS)
tests_bench_splice_SOURCES = tests/bench/splice.c
tests_bench_splice_LDADD =
tests_bench_traffic_SOURCES = tests/bench/traffic.c tests/bench/traffic.h tests/bench/traffic_calls.c
tests_bench_traffic_LDADD = $(SSL_LIBS) $(OPENSSL_LIBS)

# What `verify` is measured beside: the libraries that are installed, and only for this.
verify-peers:
	@CC='$(CC)' $(top_srcdir)/tests/bench/verify_peers/build tests/bench/verify_peers

bench: $(bench_programs) $(bench_needs) verify-peers
	@for program in $(bench_programs); do ./$$program || exit 1; done
	@for script in $(bench_scripts); do POSTERN_BUILD='$(abs_top_builddir)' $(top_srcdir)/tests/bench/$$script || exit 1; done
