package work

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// grace is how long the workloads may take to notice that the time is up.
const grace = 20 * time.Second

// mixRate keeps the greedy workloads of the mix from starving the others.
const mixRate = 500

// Main is the whole program: flags, "pid N ready", the workloads for -d, the truth, exit status 0.
// Exit status 2: misused; 3: a workload did not end.
func Main(name string) {
	r := newRun()
	which := flag.String("w", "mix", "workloads, separated by commas: "+strings.Join(Names(), " "))
	flag.DurationVar(&r.Duration, "d", 5*time.Second, "how long to work")
	flag.IntVar(&r.Rate, "rate", 0, "operations per second and worker where that makes sense, 0: no limit")
	flag.IntVar(&r.N, "n", 0, "size (goroutines, clients, edge of the image), 0: the workload's own")
	procs := flag.Int("procs", 0, "GOMAXPROCS, 0: as it is")
	wait := flag.Bool("wait", false, "begin to work at SIGUSR2 (tracers attach first)")
	linger := flag.Duration("linger", 0, "stay this long after the truth was printed")
	code := flag.Int("exit", 0, "exit status after all went well")
	list := flag.Bool("list", false, "list the workloads")
	flag.Parse()
	if *list {
		for _, n := range Names() {
			fmt.Printf("%-14s %s\n", n, registry[n].help)
		}
		return
	}
	todo, err := choose(*which)
	if err != nil || flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s: %v; see -h\n", name, err)
		os.Exit(2)
	}
	if *which == "mix" && r.Rate == 0 {
		r.Rate = mixRate
	}
	if *procs > 0 {
		runtime.GOMAXPROCS(*procs)
	}
	var begin chan os.Signal
	if *wait {
		begin = make(chan os.Signal, 1)
		signal.Notify(begin, syscall.SIGUSR2)
	}
	fmt.Printf("pid %d ready\n", os.Getpid())
	if begin != nil {
		<-begin
	}
	ok := r.work(todo)
	r.Say("goversion", runtime.Version())
	r.print(os.Stdout)
	fmt.Println("done")
	if !ok {
		os.Exit(3)
	}
	time.Sleep(*linger)
	os.Exit(*code)
}

func choose(names string) ([]workload, error) {
	var todo []workload
	for _, n := range strings.Split(names, ",") {
		if n == "mix" {
			for _, m := range Names() {
				if registry[m].in == "mix" {
					todo = append(todo, registry[m])
				}
			}
			continue
		}
		w, ok := registry[n]
		if !ok {
			return nil, fmt.Errorf("no workload %q", n)
		}
		todo = append(todo, w)
	}
	return todo, nil
}

func (r *Run) work(todo []workload) bool {
	r.Started = time.Now()
	cycles, threads := gcCycles(), threadsCreated()
	var wg sync.WaitGroup
	for _, w := range todo {
		w := w
		wg.Add(1)
		go func() {
			defer wg.Done()
			w.do(r)
		}()
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	time.Sleep(r.Duration)
	r.end()
	select {
	case <-ended:
	case <-time.After(grace):
		fmt.Fprintln(os.Stderr, "a workload did not end")
		return false
	}
	r.Add("gc.cycles", int64(gcCycles()-cycles))
	r.Add("gc.cycles.total", int64(gcCycles()))
	r.Add("threads.created", threadsCreated()-threads)
	r.Say("seconds", fmt.Sprintf("%.3f", time.Since(r.Started).Seconds()))
	return true
}
