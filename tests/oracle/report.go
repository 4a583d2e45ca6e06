// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

var (
	profileKinds = []string{"net", "sync", "syscall", "sched"}
	allKinds     = append([]string{"trace", "goroutines", "groups", "mmu", "regions", "tasks"}, profileKinds...)
	mmuWindows   = []int64{1e6, 10e6, 100e6} // what is compared; gotrace may print more
)

// report is what both sides fill in. The JSON names are those of `gotrace report --json`.
type report struct {
	Events     int64          `json:"events"` // Syncs are none
	StartNs    int64          `json:"start_ns"`
	EndNs      int64          `json:"end_ns"`
	Goroutines []goroutineRow `json:"goroutines"` // `--goroutine all`
	Groups     []groupRow     `json:"groups"`
	GC         struct {
		MMU []mmuRow `json:"mmu"`
	} `json:"gc"`
	Regions []regionRow `json:"regions"`
	Tasks   []taskRow   `json:"tasks"`

	profiles []profileRows
	noMMU    bool // Go panics at it, or has nothing to compute it from
}

type times struct {
	Execution    int64            `json:"execution_ns"`
	SchedWait    int64            `json:"sched_wait_ns"`
	Syscall      int64            `json:"syscall_ns"`
	SyscallBlock int64            `json:"syscall_block_ns"`
	Unknown      int64            `json:"unknown_ns"`
	Total        int64            `json:"total_ns"`
	Block        map[string]int64 `json:"block_ns"`
	Range        map[string]int64 `json:"range_ns"`
}

type goroutineRow struct {
	ID       int64  `json:"id"`
	Function string `json:"function"`
	Creation int64  `json:"creation_ns"` // trace time; 0: never
	Start    int64  `json:"start_ns"`
	End      int64  `json:"end_ns"`
	times
}

type groupRow struct {
	Function string `json:"function"`
	Count    int64  `json:"count"`
	times
}

type mmuRow struct {
	Window      int64   `json:"window_ns"`
	Utilization float64 `json:"utilization"`
}

// bucketRow: durations from 10^(bucket/5) ns.
type bucketRow struct {
	Bucket int64 `json:"bucket"`
	Count  int64 `json:"count"`
}

type regionRow struct {
	Name      string      `json:"name"`
	Function  string      `json:"function"` // the outermost frame of where it began
	File      string      `json:"file"`
	Line      int64       `json:"line"`
	Count     int64       `json:"count"`
	Histogram []bucketRow `json:"histogram"`
}

type taskRow struct {
	Name      string      `json:"name"`
	Count     int64       `json:"count"`
	Complete  int64       `json:"complete"`
	Histogram []bucketRow `json:"histogram"`
}

// profileRows is one profile: of a class (net, sync, syscall, sched), of all, of goroutines, or of regions.
type profileRows struct {
	class    string
	function string // of these goroutines; empty: of all
	region   string // of these regions; empty: anywhere
	units    string
	stacks   []stackRow
}

type stackRow struct {
	frames    []string // "func|file|line", leaf first
	count, ns int64
}

func (p *profileRows) options() []string {
	args := []string{"--pprof=" + p.class}
	if p.function != "" {
		args = append(args, "--func", p.function)
	}
	if p.region != "" {
		args = append(args, "--region", p.region)
	}
	return args
}

// table is what is compared: kind -> cell -> value.
type table map[string]map[string]string

func (t table) set(kind, cell, value string) {
	if t[kind] == nil {
		t[kind] = map[string]string{}
	}
	for t[kind][cell] != "" { // two rows for one thing are a difference
		cell += " again"
	}
	t[kind][cell] = value
}

func (t table) number(kind, cell string, n int64) { t.set(kind, cell, strconv.FormatInt(n, 10)) }

// add is for rows that may be apart for a reason that is not compared: the pc of a frame.
func (t table) add(kind, cell string, n int64) {
	if t[kind] == nil {
		t[kind] = map[string]string{}
	}
	before, _ := strconv.ParseInt(t[kind][cell], 10, 64)
	t[kind][cell] = strconv.FormatInt(before+n, 10)
}

func (r *report) cells() table {
	t := table{}
	t.number("trace", "events", r.Events)
	t.number("trace", "start_ns", r.StartNs)
	t.number("trace", "end_ns", r.EndNs)
	for _, g := range r.Goroutines {
		row := fmt.Sprintf("G%d ", g.ID)
		t.set("goroutines", row+"function", strconv.Quote(g.Function))
		t.number("goroutines", row+"creation_ns", g.Creation)
		t.number("goroutines", row+"start_ns", g.Start)
		t.number("goroutines", row+"end_ns", g.End)
		g.times.cells(t, "goroutines", row)
	}
	for _, g := range r.Groups {
		row := strconv.Quote(g.Function) + " "
		t.number("groups", row+"count", g.Count)
		g.times.cells(t, "groups", row)
	}
	for _, m := range r.GC.MMU {
		if !r.noMMU && slices.Contains(mmuWindows, m.Window) {
			t.set("mmu", fmt.Sprintf("%d ns", m.Window), strconv.FormatFloat(m.Utilization, 'f', 9, 64))
		}
	}
	for _, g := range r.Regions {
		row := fmt.Sprintf("%q at %s|%s|%d ", g.Name, g.Function, g.File, g.Line)
		t.add("regions", row+"count", g.Count)
		histogramCells(t, "regions", row, g.Histogram)
	}
	for _, k := range r.Tasks {
		row := strconv.Quote(k.Name) + " "
		t.number("tasks", row+"count", k.Count)
		t.number("tasks", row+"complete", k.Complete)
		histogramCells(t, "tasks", row, k.Histogram)
	}
	for _, p := range r.profiles {
		row := strings.Join(p.options()[1:], " ") + " "
		t.set(p.class, row+"sample types", p.units)
		for _, s := range p.stacks {
			t.add(p.class, row+strings.Join(s.frames, " < ")+" count", s.count)
			t.add(p.class, row+strings.Join(s.frames, " < ")+" ns", s.ns)
		}
	}
	return t
}

func (c *times) cells(t table, kind, row string) {
	t.number(kind, row+"execution_ns", c.Execution)
	t.number(kind, row+"sched_wait_ns", c.SchedWait)
	t.number(kind, row+"syscall_ns", c.Syscall)
	t.number(kind, row+"syscall_block_ns", c.SyscallBlock)
	t.number(kind, row+"unknown_ns", c.Unknown)
	t.number(kind, row+"total_ns", c.Total)
	for reason, ns := range c.Block {
		if ns != 0 { // a zero may be there or not
			t.number(kind, row+"block_ns "+strconv.Quote(reason), ns)
		}
	}
	for name, ns := range c.Range {
		if ns != 0 {
			t.number(kind, row+"range_ns "+strconv.Quote(name), ns)
		}
	}
}

func histogramCells(t table, kind, row string, buckets []bucketRow) {
	for _, b := range buckets {
		if b.Count != 0 {
			t.add(kind, fmt.Sprintf("%sbucket %d", row, b.Bucket), b.Count)
		}
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
