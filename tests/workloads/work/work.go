// Package work holds the programs that gotrace is tried on. A workload is a function that works until Run.Over and
// counts what it did; the counts are printed as "truth NAME VALUE" and are what the tests compare a trace with.
//
// Nothing here imports runtime/trace: these are programs nobody prepared.
package work

import (
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Run is one run of one or more workloads.
type Run struct {
	Duration time.Duration
	Rate     int // operations per second and worker where that makes sense, 0: as fast as it goes
	N        int // size: goroutines, clients, image edge; 0: the workload's own
	Started  time.Time

	over int32
	stop chan struct{}

	mu     sync.Mutex
	counts map[string]*int64
	texts  map[string]string
}

func newRun() *Run {
	return &Run{stop: make(chan struct{}), counts: map[string]*int64{}, texts: map[string]string{}}
}

// Over says whether the time is up.
func (r *Run) Over() bool { return atomic.LoadInt32(&r.over) != 0 }

// Done is closed when the time is up.
func (r *Run) Done() <-chan struct{} { return r.stop }

func (r *Run) end() {
	atomic.StoreInt32(&r.over, 1)
	close(r.stop)
}

// Count is the counter of that name; use atomic.AddInt64 or Add on it.
func (r *Run) Count(name string) *int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts[name]
	if c == nil {
		c = new(int64)
		r.counts[name] = c
	}
	return c
}

// Add adds to the counter of that name; takes a lock, so call it once with a sum and not per operation.
func (r *Run) Add(name string, n int64) { atomic.AddInt64(r.Count(name), n) }

// Say sets a truth that is not a count.
func (r *Run) Say(name, value string) {
	r.mu.Lock()
	r.texts[name] = value
	r.mu.Unlock()
}

func (r *Run) size(otherwise int) int {
	if r.N > 0 {
		return r.N
	}
	return otherwise
}

func (r *Run) print(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for name, c := range r.counts {
		lines = append(lines, fmt.Sprintf("truth %s %d\n", name, atomic.LoadInt64(c)))
	}
	for name, v := range r.texts {
		lines = append(lines, fmt.Sprintf("truth %s %s\n", name, v))
	}
	sort.Strings(lines)
	for _, l := range lines {
		io.WriteString(w, l)
	}
}

// pacer keeps one worker at r.Rate operations per second.
type pacer struct {
	step, next time.Duration
	start      time.Time
}

func (r *Run) pacer() *pacer {
	p := &pacer{start: time.Now()}
	if r.Rate > 0 {
		p.step = time.Second / time.Duration(r.Rate)
	}
	return p
}

// wait sleeps when this worker is ahead of its rate; without a rate it does nothing.
func (p *pacer) wait() {
	if p.step == 0 {
		return
	}
	p.next += p.step
	if ahead := p.next - time.Since(p.start); ahead > 0 {
		time.Sleep(ahead)
	}
}

type workload struct {
	name string
	do   func(*Run)
	in   string // groups it belongs to: "mix"
	help string
}

var registry = map[string]workload{}

// Register adds a workload; called from init functions. Workloads with inMix are part of "mix".
func Register(name, help string, inMix bool, do func(*Run)) {
	w := workload{name: name, do: do, help: help}
	if inMix {
		w.in = "mix"
	}
	registry[name] = w
}

// Names lists all workloads, sorted.
func Names() []string {
	var names []string
	for n := range registry {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// together runs f n times at the same time and waits for all.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		i := i
		wg.Add(1)
		go func() {
			defer wg.Done()
			f(i)
		}()
	}
	wg.Wait()
}
