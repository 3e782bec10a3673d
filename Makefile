# libgrt, gotrace and the assertion library.
#
#   make            libgrt.{a,so}, the examples, gotrace           O=DIR   build elsewhere
#   make demo       install what is missing, build, watch a process  V=1   show the commands
#   make check      install, build, run every test                 SAN=   address | thread | debug | stress
#   make bench      measure, beside Go                             PREFIX=/usr/local DESTDIR=
#   make bench-cost what a watching gotrace costs its target, finer; bench-latency: its p99
#
# Every object depends on the headers that the compiler saw (-MMD), also for BPF.

O       ?= build
PREFIX  ?= /usr/local
VERSION := 0.1
SAN     ?=
V       ?=

CC      := gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
ARCH    := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
MULTIARCH := $(shell gcc -print-multiarch 2>/dev/null)

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra
BASE    := -std=gnu11 -D_GNU_SOURCE= $(WARN) -fno-omit-frame-pointer -MMD -MP
SAN_address := -fsanitize=address -DGRT_DEBUG
SAN_thread  := -fsanitize=thread -DGRT_FENCED
SAN_debug   := -DGRT_DEBUG
SAN_stress  := -DGRT_DEBUG -DGRT_STRESS
BASE    += $(SAN_$(SAN))
LINK_SAN := $(filter -fsanitize=%,$(SAN_$(SAN)))

ifeq ($(V),)
Q   := @
say  = @printf '  %-7s %s\n' $(1) '$(patsubst $(O)/%,%,$@)'
else
say  = @:
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:

all: lib gotrace assert examples
lib: $(O)/libgrt.a $(O)/libgrt.so $(O)/grt.pc
gotrace: $(O)/gotrace

# --- lists: the files that are there -------------------------------------------------------------

RT_SRC   := $(wildcard runtime/*.c) runtime/context_amd64.S
RT_OBJ   := $(patsubst %,$(O)/%.o,$(basename $(RT_SRC)))
TOOL_SRC := $(wildcard tools/*.c tools/target/*.c tools/source/*.c tools/model/*.c tools/view/*.c tools/cmd/*.c)
TOOL_OBJ := $(TOOL_SRC:%.c=$(O)/%.o)
# What the assertion library is made of: everything but the verbs.
ASSERT_OWN := $(patsubst %.c,$(O)/%.o,$(wildcard tools/assert/*.c))
ASSERT_OBJ := $(ASSERT_OWN) $(filter-out $(O)/tools/cmd/% $(O)/tools/gotrace.o $(O)/tools/heap.o,$(TOOL_OBJ))
BPF_SRC  := $(wildcard bpf/*.bpf.c)
SKEL     := $(O)/bpf/gotrace.skel.h
EXAMPLES := $(patsubst runtime/%.c,$(O)/%,$(wildcard runtime/examples/*.c))
TOOL_LIBS := -lbpf -ldw -lelf -lz -liberty

examples: $(EXAMPLES)

# --- runtime --------------------------------------------------------------------------------------

RT_FLAGS := $(BASE) -fvisibility=hidden -fPIC -ftls-model=initial-exec -pthread -Iruntime/include
# Never part of link-time optimisation, whatever CFLAGS say: it does not see symbols that assembler text
# names, must not see the address of errno, and its objects cannot become the one of libgrt.a.
RT_LAST := -fno-lto

# What user code calls stays on the stack, so that tools can tell where its own code begins.
$(O)/runtime/io.o $(O)/runtime/net.o $(O)/runtime/syscall.o: RT_LAST += -fno-optimize-sibling-calls

$(O)/runtime/%.o: runtime/%.c
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(RT_FLAGS) $(CFLAGS) $(RT_LAST) -c -o $@ $<

$(O)/runtime/%.o: runtime/%.S
	$(call say,AS)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -MMD -MP -c -o $@ $<

# One object with internal names localized: they cannot clash with a program's.
$(O)/libgrt.a: $(RT_OBJ)
	$(call say,AR)
	$(Q)$(LD) -r -o $(O)/libgrt-one.o $(RT_OBJ)
	$(Q)objcopy --localize-hidden $(O)/libgrt-one.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(O)/libgrt-one.o

# The names in the map are those that the public headers declare, or the build ends here.
$(O)/libgrt.so: $(RT_OBJ) runtime/grt.map
	$(call say,LD)
	$(Q)$(CC) -shared -pthread $(LINK_SAN) -Wl,-soname,libgrt.so.0 -Wl,--version-script=runtime/grt.map \
		-Wl,-z,now -o $@ $(RT_OBJ)
	$(Q)tests/exports.sh $@ runtime/include/grt GRT_API
	$(Q)ln -sf libgrt.so $(O)/libgrt.so.0

# Made each time: PREFIX may be another one than when the rest was built.
$(O)/grt.pc: runtime/grt.pc.in FORCE
	$(Q)mkdir -p $(@D)
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' $< >$@

$(O)/examples/%: runtime/examples/%.c $(O)/libgrt.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -pthread -Iruntime/include $(CFLAGS) -o $@ $< $(O)/libgrt.a \
		$(if $(filter http,$*),-lhttp_parser)

# --- BPF and gotrace ------------------------------------------------------------------------------

$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -O2 -g $(WARN) -Wno-unused-parameter -target bpf -D__TARGET_ARCH_$(ARCH) -Ivmlinux/$(ARCH) \
		-I/usr/include/$(MULTIARCH) -MMD -MP -c -o $@ $<

$(O)/bpf/gotrace.o: $(BPF_SRC:%.bpf.c=$(O)/%.bpf.o)
	$(call say,LD)
	$(Q)$(BPFTOOL) gen object $@ $^

$(O)/bpf/%.skel.h: $(O)/bpf/%.o
	$(call say,SKEL)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

# The order-only prerequisite is for the first build; afterwards the compiler's lists tell.
$(O)/tools/%.o: tools/%.c | $(SKEL)
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -fPIC -fvisibility=hidden -I$(O)/bpf -DGOTRACE_VERSION='"$(VERSION)"' $(CFLAGS) -c -o $@ $<

# The compiler does not see what the assembler includes.
$(O)/tools/view/schema.o: $(wildcard tools/view/schema/*.json)

$(O)/gotrace: $(TOOL_OBJ)
	$(call say,LD)
	$(Q)$(CC) $(LINK_SAN) -pthread -o $@ $(TOOL_OBJ) $(TOOL_LIBS)

# --- the assertion library ------------------------------------------------------------------------

assert: $(O)/libgotrace-assert.a $(O)/libgotrace-assert.so $(O)/gotrace-assert.pc

# One object with internal names localized: they cannot clash with a test's.
$(O)/libgotrace-assert.a: $(ASSERT_OBJ)
	$(call say,AR)
	$(Q)$(LD) -r -o $(O)/libgotrace-assert-one.o $(ASSERT_OBJ)
	$(Q)objcopy --localize-hidden $(O)/libgotrace-assert-one.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(O)/libgotrace-assert-one.o

$(O)/libgotrace-assert.so: $(ASSERT_OBJ) tools/assert/gotrace_assert.map
	$(call say,LD)
	$(Q)$(CC) -shared -pthread $(LINK_SAN) -Wl,-soname,libgotrace-assert.so.0 \
		-Wl,--version-script=tools/assert/gotrace_assert.map -Wl,-z,now -o $@ $(ASSERT_OBJ) $(TOOL_LIBS)
	$(Q)tests/exports.sh $@ tools/assert GOTRACE_API
	$(Q)ln -sf libgotrace-assert.so $(O)/libgotrace-assert.so.0

# Who links all of it statically needs what our libraries need; their own .pc files know.
$(O)/gotrace-assert.pc: tools/assert/gotrace-assert.pc.in FORCE
	$(Q)mkdir -p $(@D)
	$(Q)sed "s|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; \
		s|@PRIVATE@|$$(pkg-config --static --libs libbpf libdw libelf zlib)|" $< >$@

# What a shell completes is what this gotrace takes.
COMPLETIONS := $(O)/completion/gotrace $(O)/completion/_gotrace
$(O)/completion/gotrace: SHELL_NAME := bash
$(O)/completion/_gotrace: SHELL_NAME := zsh
$(COMPLETIONS): $(O)/gotrace
	$(call say,GEN)
	$(Q)mkdir -p $(@D)
	$(Q)$< completion $(SHELL_NAME) >$@

include tests/tests.mk

# --- packages, demo, installation -----------------------------------------------------------------

BUILD_PACKAGES := gcc make pkg-config clang llvm bpftool libbpf-dev libelf-dev libdw-dev libiberty-dev \
	zlib1g-dev linux-libc-dev systemtap-sdt-dev libhttp-parser-dev libc6-dev
CHECK_PACKAGES := libcmocka-dev wrk python3-jsonschema clang-format spin iproute2 libcap2-bin binutils \
	elfutils golang-go zsh mandoc patch

deps:
	$(Q)tests/packages.sh $(BUILD_PACKAGES)
deps-check: deps
	$(Q)tests/packages.sh $(CHECK_PACKAGES)

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/demo.sh $(O)

# what : mode : where below PREFIX. The one list of install and uninstall.
INSTALL = $(O)/gotrace:755:bin/gotrace $(O)/libgrt.a:644:lib/libgrt.a \
	$(O)/libgrt.so:755:lib/libgrt.so.0 $(O)/grt.pc:644:lib/pkgconfig/grt.pc \
	runtime/trace_abi.h:644:include/grt/trace_abi.h runtime/probes.def:644:include/grt/probes.def \
	$(foreach h,api errno grt io net run sync trace,runtime/include/grt/$h.h:644:include/grt/$h.h) \
	$(foreach p,$(wildcard tools/man/*.[0-9]),$p:644:share/man/man$(subst .,,$(suffix $p))/$(notdir $p)) \
	$(O)/completion/gotrace:644:share/bash-completion/completions/gotrace \
	$(O)/completion/_gotrace:644:share/zsh/site-functions/_gotrace \
	$(O)/libgotrace-assert.a:644:lib/libgotrace-assert.a \
	$(O)/libgotrace-assert.so:755:lib/libgotrace-assert.so.0 \
	$(O)/gotrace-assert.pc:644:lib/pkgconfig/gotrace-assert.pc \
	tools/assert/gotrace_assert.h:644:include/gotrace_assert.h \
	$(foreach e,$(wildcard tools/assert/example/*),$e:644:share/doc/gotrace-assert/example/$(notdir $e))

install: all $(COMPLETIONS)
	$(Q)$(foreach i,$(INSTALL),install -D -m $(word 2,$(subst :, ,$i)) $(word 1,$(subst :, ,$i)) \
		$(DESTDIR)$(PREFIX)/$(word 3,$(subst :, ,$i)) &&) \
		ln -sf libgrt.so.0 $(DESTDIR)$(PREFIX)/lib/libgrt.so && \
		ln -sf libgotrace-assert.so.0 $(DESTDIR)$(PREFIX)/lib/libgotrace-assert.so
uninstall:
	$(Q)rm -f $(foreach i,$(INSTALL),$(DESTDIR)$(PREFIX)/$(word 3,$(subst :, ,$i))) \
		$(DESTDIR)$(PREFIX)/lib/libgrt.so $(DESTDIR)$(PREFIX)/lib/libgotrace-assert.so

clean:
	$(Q)rm -rf $(O)

.PHONY: all lib gotrace assert examples deps deps-check demo install uninstall clean FORCE

-include $(shell [ -d $(O) ] && find $(O) -name '*.d')
