// SPDX-License-Identifier: Apache-2.0

// readloop FILE reads all events of a trace with golang.org/x/exp/trace and does nothing else: what others build on, and
// so what the reader of gotrace is measured against. It prints "events N cpu_seconds S peak_kb K"; Syncs are no events.
package main

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/exp/trace"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: readloop FILE")
		os.Exit(2)
	}
	n, err := count(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "readloop:", err)
		os.Exit(1)
	}
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	cpu := float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
	fmt.Printf("events %d cpu_seconds %.3f peak_kb %d\n", n, cpu, used.Maxrss)
}

func count(file string) (n int, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r, err := trace.NewReader(f)
	if err != nil {
		return 0, err
	}
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if ev.Kind() != trace.EventSync {
			n++
		}
	}
}
