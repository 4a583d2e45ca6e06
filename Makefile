# SPDX-License-Identifier: Apache-2.0
# make [SAN=1] [WITH_BPF=0]; make test | test-unit | test-cli | test-live | fuzz [FUZZ_TIME=60] | bench | demo | install | clean
CC ?= gcc
CLANG ?= clang
PROTOC_C ?= protoc-c
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PREFIX ?= /usr/local
DESTDIR ?=
B := build$(if $(FUZZ),/fuzz,$(if $(SAN),/san))
WITH_BPF ?= 1

CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -Wall -Wextra -Wmissing-prototypes -Wno-unused-parameter -D_GNU_SOURCE -Iinclude -Iuser -I$(B)
LIBS := -lZydis -ldw -lelf -lprotobuf-c -lz -lm -pthread
DIRS := base target order trace read analyze render cmd
ifeq ($(WITH_BPF),1)
DIRS += capture
LIBS := -lbpf $(LIBS)
CFLAGS += -DWITH_BPF=1
else
WITHOUT := user/cmd/record.c user/cmd/check.c user/cmd/launch.c
endif
ifdef SAN
CFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif

ifdef FUZZ
CC := $(CLANG)
CFLAGS += -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
# every byte of a program goes through these; to follow their comparisons takes half of the time
$(addprefix $(B)/,base/base.o $(addprefix target/,image.o pclntab.o symbols.o inlines.o code.o)): CFLAGS += -fno-sanitize-coverage=trace-cmp
endif

SRCS := $(filter-out $(WITHOUT),$(foreach d,$(DIRS),$(wildcard user/$(d)/*.c)))
OBJS := $(SRCS:user/%.c=$(B)/%.o) $(B)/render/profile.pb-c.o
LIBOBJS := $(filter-out $(B)/cmd/main.o,$(OBJS))
TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))

all: $(B)/gotrace

$(B)/gotrace: $(B)/cmd/main.o $(B)/libgotrace.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/libgotrace.a: $(LIBOBJS)
	rm -f $@; ar rcs $@ $^

$(B)/%.o: user/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.pb-c.o: $(B)/%.pb-c.c
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# pprof's messages
$(B)/%.pb-c.c $(B)/%.pb-c.h: user/%.proto
	@mkdir -p $(@D)
	$(PROTOC_C) --proto_path=user --c_out=$(B) $<

$(B)/render/profile.o: $(B)/render/profile.pb-c.h

$(B)/unit/%: tests/unit/%.c $(B)/libgotrace.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -Itests -o $@ $< $(B)/libgotrace.a $(LIBS) -lcmocka

# libFuzzer's main with FUZZ=1, else tests/fuzz/replay.c
$(B)/fuzzers/%: tests/fuzz/%.c $(if $(FUZZ),,tests/fuzz/replay.c) $(B)/libgotrace.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(if $(FUZZ),-fsanitize=fuzzer) -MMD -MP -Itests -o $@ $(filter %.c,$^) $(B)/libgotrace.a $(LIBS)

$(B)/bench/%: tests/bench/%.c $(B)/libgotrace.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -o $@ $< $(B)/libgotrace.a $(LIBS)

ifeq ($(WITH_BPF),1)
$(B)/gotrace.bpf.o: bpf/gotrace.bpf.c $(wildcard bpf/*.h include/gotrace/*.h)
	@mkdir -p $(@D)
	$(CLANG) -g -O2 -Wall -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I/usr/include/$(shell uname -m)-linux-gnu -Iinclude -Ibpf -c -o $@ $<
	llvm-strip -g $@ 2>/dev/null || true

$(B)/gotrace.skel.h: $(B)/gotrace.bpf.o
	$(BPFTOOL) gen skeleton $< name gotrace_bpf > $@.tmp && mv $@.tmp $@

$(patsubst user/%.c,$(B)/%.o,$(wildcard user/capture/*.c)): $(B)/gotrace.skel.h
endif

test-unit: $(TESTS)
	@for t in $(TESTS); do $$t || exit 1; done

install: $(B)/gotrace
	install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/gotrace

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
.PHONY: all test-unit install clean
.SECONDARY:

test:
	tests/run
test-cli:
	tests/run cli
test-live:
	tests/run live
fuzz: export FUZZ_TIME ?= 60
fuzz:
	tests/run fuzz
matrix: $(B)/gotrace
	scripts/matrix $(MATRIX)
real: $(B)/gotrace
	scripts/real-programs $(REAL)
bench: $(B)/gotrace
	GOTRACE=$(abspath $(B)/gotrace) scripts/bench $(BENCH)
	GOTRACE=$(abspath $(B)/gotrace) scripts/bench-read
demo:
	scripts/setup
	scripts/demo
.PHONY: test test-cli test-live fuzz matrix real bench demo
