// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"internal/trace"
	"internal/trace/traceviewer"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"
)

// truth is a trace as go tool trace reads it.
type truth struct {
	*parsedTrace
	damage error // why it ends early
}

var errPanic = errors.New("panic")

func isPanic(err error) bool { return errors.Is(err, errPanic) }

func readTruth(file string, cut, all bool) (t *truth, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	read := func(f io.Reader) (*parsedTrace, error) { return parseTrace(f, 0) }
	if all {
		read = readAll
	}
	parsed, err := read(f)
	if err != nil {
		return nil, err
	}
	if cut {
		parsed.summary = summarize(parsed.events)
	}
	return &truth{parsed, parsed.err}, nil
}

// readAll is parseTrace, but keeps what comes after the last sync before an error.
func readAll(f io.Reader) (*parsedTrace, error) {
	r, err := trace.NewReader(f)
	if err != nil {
		return nil, err
	}
	t := new(parsedTrace)
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.err = err
			break
		}
		t.events = append(t.events, ev)
	}
	if len(t.events) == 0 {
		return nil, t.err
	}
	t.summary = summarize(t.events)
	return t, nil
}

func summarize(events []trace.Event) *trace.Summary {
	s := trace.NewSummarizer()
	for i := range events {
		s.Event(&events[i])
	}
	return s.Finalize()
}

func (t *truth) report(kinds []string) *report {
	r := &report{StartNs: int64(t.startTime()), EndNs: int64(t.endTime())}
	for i := range t.events {
		if t.events[i].Kind() != trace.EventSync {
			r.Events++
		}
	}
	t.goroutines(r)
	t.regions(r)
	t.tasks(r)
	if slices.Contains(kinds, "mmu") {
		t.mmu(r)
	}
	for _, class := range profileKinds {
		if slices.Contains(kinds, class) {
			t.profiles(r, class)
		}
	}
	return r
}

func (t *truth) goroutines(r *report) {
	groups := map[string]*groupRow{}
	for _, id := range sortedKeys(t.summary.Goroutines) {
		g := t.summary.Goroutines[id]
		row := goroutineRow{
			ID: int64(id), Function: g.Name,
			Creation: int64(g.CreationTime), Start: int64(g.StartTime), End: int64(g.EndTime),
			times: timesOf(&g.GoroutineExecStats),
		}
		r.Goroutines = append(r.Goroutines, row)
		if groups[g.Name] == nil {
			groups[g.Name] = &groupRow{Function: g.Name, times: times{Block: map[string]int64{}, Range: map[string]int64{}}}
		}
		groups[g.Name].Count++
		groups[g.Name].times.add(&row.times)
	}
	for _, name := range sortedKeys(groups) {
		r.Groups = append(r.Groups, *groups[name])
	}
}

func timesOf(s *trace.GoroutineExecStats) times {
	c := times{
		Execution: int64(s.ExecTime), SchedWait: int64(s.SchedWaitTime), Syscall: int64(s.SyscallTime),
		SyscallBlock: int64(s.SyscallBlockTime), Unknown: int64(s.UnknownTime()), Total: int64(s.TotalTime),
		Block: map[string]int64{}, Range: map[string]int64{},
	}
	for reason, d := range s.BlockTimeByReason {
		c.Block[reason] = int64(d)
	}
	for name, d := range s.RangeTime {
		c.Range[name] = int64(d)
	}
	return c
}

func (c *times) add(o *times) {
	c.Execution += o.Execution
	c.SchedWait += o.SchedWait
	c.Syscall += o.Syscall
	c.SyscallBlock += o.SyscallBlock
	c.Unknown += o.Unknown
	c.Total += o.Total
	for reason, ns := range o.Block {
		c.Block[reason] += ns
	}
	for name, ns := range o.Range {
		c.Range[name] += ns
	}
}

// mmu is the curve of the page as it opens: stop-the-world, background workers and assists.
func (t *truth) mmu(r *report) {
	r.noMMU = true
	defer func() { recover() }() // an event without a P panics MutatorUtilizationV2
	utils := trace.MutatorUtilizationV2(t.events, trace.UtilSTW|trace.UtilBackground|trace.UtilAssist)
	if len(utils) == 0 {
		return
	}
	curve := trace.NewMMUCurve(utils)
	for _, w := range mmuWindows {
		r.GC.MMU = append(r.GC.MMU, mmuRow{w, curve.MMU(time.Duration(w))})
	}
	r.noMMU = false
}

func (t *truth) regions(r *report) {
	all := map[regionFingerprint]*regionStats{}
	for _, g := range t.summary.Goroutines {
		for _, region := range g.Regions {
			id := fingerprintRegion(region)
			if all[id] == nil {
				all[id] = &regionStats{regionFingerprint: id}
			}
			all[id].add(t.parsedTrace, region)
		}
	}
	for id, s := range all {
		r.Regions = append(r.Regions, regionRow{
			Name: id.Type, Function: id.Frame.Func, File: id.Frame.File, Line: int64(id.Frame.Line),
			Count: int64(s.Histogram.Count), Histogram: buckets(&s.Histogram),
		})
	}
}

func (t *truth) tasks(r *report) {
	all := map[string]*taskStats{}
	for _, task := range t.summary.Tasks {
		if all[task.Name] == nil {
			all[task.Name] = &taskStats{}
		}
		all[task.Name].add(task)
	}
	for name, s := range all {
		r.Tasks = append(r.Tasks, taskRow{name, int64(s.Count), int64(s.Histogram.Count), buckets(&s.Histogram)})
	}
}

func buckets(h *traceviewer.TimeHistogram) (rows []bucketRow) {
	for bucket, count := range h.Buckets {
		rows = append(rows, bucketRow{int64(bucket), int64(count)})
	}
	return rows
}

// profiles: of everything, of the three most frequent start functions, and of each name of a region.
func (t *truth) profiles(r *report, class string) {
	for _, function := range append([]string{""}, frequent(r.Groups, 3)...) {
		where, err := pprofMatchingGoroutines(function, t.parsedTrace)
		if err != nil { // no goroutine at all
			where = map[trace.GoID][]interval{}
		}
		t.profile(r, profileRows{class: class, function: function}, where)
	}
	for _, region := range regionNames(r.Regions) {
		request := &http.Request{Form: url.Values{"type": {region}}}
		filter, err := newRegionFilter(request)
		if err != nil {
			panic(err)
		}
		where, err := pprofMatchingRegions(filter, t.parsedTrace)
		if err != nil {
			panic(err)
		}
		t.profile(r, profileRows{class: class, region: region}, where)
	}
}

func (t *truth) profile(r *report, p profileRows, where map[trace.GoID][]interval) {
	compute := map[string]computePprofFunc{
		"net": computePprofIO(), "sync": computePprofBlock(), "syscall": computePprofSyscall(), "sched": computePprofSched(),
	}[p.class]
	records, err := compute(where, t.events)
	if err != nil {
		panic(err)
	}
	p.units = "contentions/count delay/nanoseconds"
	for _, rec := range records {
		s := stackRow{count: int64(rec.Count), ns: int64(rec.Time)}
		for _, f := range rec.Stack {
			s.frames = append(s.frames, fmt.Sprintf("%s|%s|%d", f.Func, f.File, f.Line))
		}
		p.stacks = append(p.stacks, s)
	}
	r.profiles = append(r.profiles, p)
}

func frequent(groups []groupRow, n int) (names []string) {
	groups = slices.DeleteFunc(slices.Clone(groups), func(g groupRow) bool { return g.Function == "" })
	slices.SortStableFunc(groups, func(a, b groupRow) int { return cmp.Compare(b.Count, a.Count) })
	for _, g := range groups[:min(n, len(groups))] {
		names = append(names, g.Function)
	}
	return names
}

func regionNames(regions []regionRow) []string {
	names := map[string]bool{}
	for _, r := range regions {
		if r.Name != "" { // what a goroutine inherits has none
			names[r.Name] = true
		}
	}
	return sortedKeys(names)
}
