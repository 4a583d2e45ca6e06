// SPDX-License-Identifier: Apache-2.0

// The oracle says what Go's own code finds in a trace, and whether `gotrace report` finds the same.
//
// These files are compiled into cmd/trace (see build), so parseTrace, computePprofSched, fingerprintRegion and so on are
// those of `go tool trace`, not ours. Its main is in the way: init takes the program over when the first argument is ours.
//
//	main.go     the command line; the comparison
//	report.go   what a report consists of, and its cells
//	truth.go    a report by Go's code
//	gotrace.go  a report by gotrace
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
)

const oracleUsage = `usage: oracle dump [-cut | -all] FILE [KIND...]
       oracle check [-cut | -all] FILE GOTRACE [KIND...]
       oracle version

dump prints every cell of the report as "KIND CELL VALUE" (with tabs between), sorted. check compares them with what the
program GOTRACE reports. Exit status: 0 equal, 1 something differs, 2 misused, 3 nothing to compare (Go's reader panics).

Kinds: trace goroutines groups mmu regions tasks net sync syscall sched; default: all.

When a trace breaks in the middle, go tool trace drops the events behind the last Sync, but its goroutines, tasks and
regions still know of them. -cut: those come from the kept events too. -all: nothing
is cut off, all that was read before the error counts.`

func init() {
	if len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case "dump", "check":
	case "version":
		fmt.Println(runtime.Version())
		os.Exit(0)
	default:
		return
	}
	set := flag.NewFlagSet("oracle", flag.ExitOnError)
	set.Usage = func() { fmt.Fprintln(os.Stderr, oracleUsage) }
	cut := set.Bool("cut", false, "")
	all := set.Bool("all", false, "")
	set.Parse(os.Args[2:])
	args := set.Args()
	switch {
	case os.Args[1] == "dump" && len(args) >= 1:
		os.Exit(oracleDump(args[0], *cut, *all, oracleKinds(args[1:])))
	case os.Args[1] == "check" && len(args) >= 2:
		os.Exit(oracleCheck(args[0], args[1], *cut, *all, oracleKinds(args[2:])))
	}
	set.Usage()
	os.Exit(2)
}

func oracleKinds(args []string) []string {
	for _, a := range args {
		if !slices.Contains(allKinds, a) {
			fmt.Fprintf(os.Stderr, "oracle: no kind %q\n", a)
			os.Exit(2)
		}
	}
	if len(args) == 0 {
		return allKinds
	}
	return args
}

func oracleDump(file string, cut, keep bool, kinds []string) int {
	truth, err := readTruth(file, cut, keep)
	if err != nil {
		fmt.Printf("error\t%v\n", firstLine(err.Error()))
		return 3
	}
	if truth.damage != nil {
		fmt.Printf("error\t%v\n", firstLine(truth.damage.Error()))
	}
	all := truth.report(kinds).cells()
	for _, kind := range kinds {
		for _, cell := range sortedKeys(all[kind]) {
			fmt.Printf("%s\t%s\t%s\n", kind, cell, all[kind][cell])
		}
	}
	return 0
}

func oracleCheck(file, gotrace string, cut, keep bool, kinds []string) int {
	truth, err := readTruth(file, cut, keep)
	tool := tool{gotrace: gotrace, file: file}
	if err != nil {
		return checkRefusal(tool, err)
	}
	want := truth.report(kinds)
	got, err := tool.report(kinds, want)
	if err != nil && truth.damage != nil && want.Events == 0 && tool.refused && !tool.died {
		fmt.Printf("refused, and Go keeps no event: %v\n", firstLine(truth.damage.Error()))
		return 0
	}
	if err != nil {
		fmt.Printf("gotrace: %v\n", err)
		return 1
	}
	status := 0
	if truth.damage != nil && tool.silent {
		fmt.Printf("gotrace says nothing about: %v\n", firstLine(truth.damage.Error()))
		status = 1
	}
	w, g := want.cells(), got.cells()
	for _, kind := range kinds {
		if !checkKind(kind, w[kind], g[kind]) {
			status = 1
		}
	}
	return status
}

// A file that Go refuses is to be refused by gotrace. One that makes Go's reader panic may be anything.
func checkRefusal(tool tool, why error) int {
	_, err := tool.report([]string{"trace"}, &report{})
	switch {
	case tool.died:
		fmt.Printf("gotrace: %v\n", err)
		return 1
	case isPanic(why):
		fmt.Printf("not compared, Go: %v\n", firstLine(why.Error()))
		return 3
	case err == nil:
		fmt.Printf("gotrace takes it, Go refuses: %v\n", firstLine(why.Error()))
		return 1
	case !tool.refused:
		fmt.Printf("gotrace: neither output nor a sentence and a status: %v; Go refuses: %v\n", err, firstLine(why.Error()))
		return 1
	}
	fmt.Printf("refused by both, Go: %v\n", firstLine(why.Error()))
	return 0
}

const shownPerKind = 20

func checkKind(kind string, want, got map[string]string) bool {
	names := sortedKeys(want)
	for name := range got {
		if _, ok := want[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	bad := 0
	for _, name := range names {
		w, inWant := want[name]
		g, inGot := got[name]
		if inWant && inGot && sameValue(kind, w, g) {
			continue
		}
		if bad++; bad <= shownPerKind {
			fmt.Printf("  %s %s: Go %s, gotrace %s\n", kind, middle(name, 300), orNothing(w, inWant), orNothing(g, inGot))
		}
	}
	if bad > 0 {
		fmt.Printf("%s %d of %d cells differ\n", kind, bad, len(names))
	} else {
		fmt.Printf("%s %d cells equal\n", kind, len(names))
	}
	return bad == 0
}

// sameValue allows for the digits that a utilization is printed with. Everything else is equal or not.
func sameValue(kind, want, got string) bool {
	if kind == "mmu" {
		w, err1 := strconv.ParseFloat(want, 64)
		g, err2 := strconv.ParseFloat(got, 64)
		return err1 == nil && err2 == nil && math.Abs(w-g) <= 1e-6
	}
	return want == got
}

func orNothing(value string, has bool) string {
	if !has {
		return "nothing"
	}
	return value
}

// middle shortens what is between both ends: a stack begins and ends with what tells it from others.
func middle(s string, max int) string {
	if len(s) <= max {
		return s
	}
	return s[:max/2] + " ... " + s[len(s)-max/2:]
}
