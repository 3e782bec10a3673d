// SPDX-License-Identifier: MIT

// main.go measures for Go what ../grt.c measures for libgrt, under the same names.
// The loops do the same work: where one side uses a raw system call, so does the other.
package main

/*
static long nothing(void *arg) { __asm__ volatile("" : "+r"(arg)); return (long)arg; }
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	chunks       = 401
	chunkYields  = 1000
	chunkBatches = 10
	spawnBatch   = 100
	chunkCalls   = 2000
	handoffs     = 2000
	solo         = 300 * time.Millisecond
	settle       = 100 * time.Millisecond
	threadsMax   = 20000
	yielders     = 4
	echoes       = 100
	tickEvery    = time.Millisecond
	ticksMax     = 10000
)

var nArg int

func out(name string, value float64) { fmt.Printf("%s %.3f\n", name, value) }

func die(what string, err error) {
	fmt.Fprintf(os.Stderr, "go: cannot %s: %v\n", what, err)
	os.Exit(1)
}

func quantile(v []float64, share float64) float64 {
	sort.Float64s(v)
	return v[int(float64(len(v)-1)*share)]
}

func statusField(key string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		die("read /proc/self/status", err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, key) {
			value, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return value
		}
	}
	return -1
}

// A FIFO as a plain descriptor: Go's poller does not know it, so that reads block a thread.
func newFIFO() int {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		die("make a directory", err)
	}
	defer os.RemoveAll(dir)
	if err := syscall.Mkfifo(dir+"/fifo", 0600); err != nil {
		die("make a FIFO", err)
	}
	fd, err := syscall.Open(dir+"/fifo", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		die("open a FIFO", err)
	}
	return fd
}

func benchSwitch() {
	var shouldEnd atomic.Bool
	var ns []float64
	go func() {
		for !shouldEnd.Load() {
			runtime.Gosched()
		}
	}()
	runtime.Gosched()
	for i := 0; i < chunks; i++ {
		t0 := time.Now()
		for k := 0; k < chunkYields; k++ {
			runtime.Gosched()
		}
		ns = append(ns, float64(time.Since(t0))/(2*chunkYields))
	}
	shouldEnd.Store(true)
	out("switch_ns", quantile(ns, 0.5))
}

func endAtOnce(wg *sync.WaitGroup) { wg.Done() }

func benchSpawn() {
	var wg sync.WaitGroup
	var ns []float64
	for i := 0; i < chunks; i++ {
		t0 := time.Now()
		for r := 0; r < chunkBatches; r++ {
			wg.Add(spawnBatch)
			for k := 0; k < spawnBatch; k++ {
				go endAtOnce(&wg)
			}
			wg.Wait()
		}
		ns = append(ns, float64(time.Since(t0))/(chunkBatches*spawnBatch))
	}
	out("spawn_ns", quantile(ns, 0.5))
}

func callsMeasure() {
	var raw, pair, foreign []float64
	for i := 0; i < chunks; i++ {
		t0 := time.Now()
		for k := 0; k < chunkCalls; k++ {
			syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
		t1 := time.Now()
		for k := 0; k < chunkCalls; k++ {
			syscall.Syscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
		t2 := time.Now()
		for k := 0; k < chunkCalls; k++ {
			C.nothing(nil)
		}
		t3 := time.Now()
		raw = append(raw, float64(t1.Sub(t0))/chunkCalls)
		pair = append(pair, float64(t2.Sub(t1)-t1.Sub(t0))/chunkCalls)
		foreign = append(foreign, float64(t3.Sub(t2))/chunkCalls)
	}
	out("raw_ns", quantile(raw, 0.5))
	out("foreign_ns", quantile(foreign, 0.5))
	out("pair_ns", quantile(pair, 0.5))
}

func benchCalls() {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		callsMeasure()
	}
}

func benchHandoff() {
	var before time.Time
	fifo, turn := newFIFO(), make(chan struct{}, 1)
	us, x, b := make([]float64, 0, handoffs), []byte{'x'}, make([]byte, 1)
	go func() {
		for range turn {
			us = append(us, float64(time.Since(before))/1000)
			syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fifo), uintptr(unsafe.Pointer(&x[0])), 1)
		}
	}()
	runtime.Gosched()
	for i := 0; i < handoffs; i++ {
		turn <- struct{}{}
		before = time.Now()
		if n, err := syscall.Read(fifo, b); n != 1 {
			die("read a FIFO", err)
		}
	}
	out("handoff_p99_us", quantile(us, 0.99))
	out("handoff_p50_us", quantile(us, 0.5))
}

var (
	fifo    int
	entered atomic.Int64
	loops   atomic.Uint64
	sink    uint64
)

func compute() {
	x := uint64(1)
	for {
		for i := 0; i < 1000; i++ {
			x = x*3 + 1
		}
		sink = x
		loops.Add(1)
	}
}

func blockMany(n int) {
	fifo = newFIFO()
	for i := 0; i < n; i++ {
		go func() {
			b := make([]byte, 1)
			entered.Add(1)
			syscall.Read(fifo, b)
		}()
	}
	for entered.Load() < int64(n) {
		time.Sleep(200 * time.Microsecond)
	}
}

func speedOver(d time.Duration) float64 {
	n, t0 := loops.Load(), time.Now()
	time.Sleep(d)
	return float64(loops.Load()-n) / float64(time.Since(t0))
}

func benchBlocked() {
	debug.SetMaxThreads(threadsMax)
	go compute()
	time.Sleep(settle)
	alone := speedOver(solo)
	n, t0 := loops.Load(), time.Now()
	blockMany(nArg)
	storm := float64(loops.Load()-n) / float64(time.Since(t0))
	out("block_ms", float64(time.Since(t0))/1e6)
	time.Sleep(settle)
	out("threads", statusField("Threads:"))
	out("share_storm_pct", storm/alone*100)
	out("share_pct", speedOver(solo)/alone*100)
}

func parkMany(n int, parked *atomic.Int64, never *sync.WaitGroup) {
	parked.Store(0)
	for i := 0; i < n; i++ {
		go func() {
			parked.Add(1)
			never.Wait()
		}()
		if i%100 == 0 {
			runtime.Gosched()
		}
	}
	for parked.Load() < int64(n) {
		runtime.Gosched()
	}
}

func benchParked() {
	var never sync.WaitGroup
	var parked atomic.Int64
	never.Add(1)
	parkMany(1, &parked, &never)
	rss, tables := statusField("VmRSS:"), statusField("VmPTE:")
	parkMany(nArg, &parked, &never)
	tables = statusField("VmPTE:") - tables
	rss = statusField("VmRSS:") - rss
	out("parked_tables_bytes", tables*1024/float64(nArg))
	out("parked_bytes", (rss+tables)*1024/float64(nArg))
}

func newEchoes() (asks []*os.File) {
	for i := 0; i < echoes; i++ {
		fd, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			die("make a socket", err)
		}
		if err := syscall.SetNonblock(fd[0], true); err != nil {
			die("make a socket of the poller's", err)
		}
		served := os.NewFile(uintptr(fd[0]), "served")
		asks = append(asks, os.NewFile(uintptr(fd[1]), "asks"))
		go func() {
			b := make([]byte, 1)
			for {
				if _, err := served.Read(b); err != nil {
					return
				}
				served.Write(b)
			}
		}()
	}
	return asks
}

func benchBusy() {
	var end atomic.Bool
	var ticks atomic.Int64
	late := make([]float64, ticksMax)
	asker := exec.Command(filepath.Dir(os.Args[0])+"/grt", "asker", "3")
	asker.ExtraFiles, asker.Stdout, asker.Stderr = newEchoes(), os.Stdout, os.Stderr
	for i := 0; i < yielders; i++ {
		go func() {
			for !end.Load() {
				runtime.Gosched()
			}
		}()
	}
	go func() {
		for n := ticks.Load(); n < ticksMax; n = ticks.Add(1) {
			due := time.Now().Add(tickEvery)
			time.Sleep(tickEvery)
			late[n] = float64(time.Since(due)) / 1e3
		}
	}()
	if err := asker.Run(); err != nil {
		die("have somebody ask", err)
	}
	end.Store(true)
	out("tick_late_us", quantile(late[:ticks.Load()], 0.99))
}

func main() {
	benches := map[string]struct {
		procs int
		fn    func()
	}{
		"switch": {1, benchSwitch}, "spawn": {1, benchSpawn}, "calls": {1, benchCalls},
		"handoff": {1, benchHandoff}, "blocked": {2, benchBlocked}, "parked": {1, benchParked},
		"busy": {2, benchBusy},
	}
	if len(os.Args) > 2 {
		nArg, _ = strconv.Atoi(os.Args[2])
	}
	if len(os.Args) > 1 {
		if b, ok := benches[os.Args[1]]; ok {
			runtime.GOMAXPROCS(b.procs)
			b.fn()
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: go switch|spawn|busy|calls|handoff|blocked N|parked N")
	os.Exit(2)
}
