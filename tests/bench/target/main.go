// The program that the benchmark measures: one workload, and every 20 ms a line "ops cpu_ns wall_ns" about itself.
// Commands on standard input: "trace FILE" and "stop" switch the in-process tracer.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/trace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var ops, longest atomic.Int64
var wantGaps = flag.Bool("gaps", false, "also tell the longest time between two operations since the last line")

// pingpong: two goroutines hand a value to and fro; an op is one round: two blocks, two wake-ups, two starts.
func pingpong() {
	a, b := make(chan int), make(chan int)
	go func() {
		for v := range a {
			b <- v
		}
	}()
	last := time.Now()
	for {
		a <- 1
		<-b
		ops.Add(1)
		if *wantGaps {
			now := time.Now()
			if gap := int64(now.Sub(last)); gap > longest.Load() {
				longest.Store(gap)
			}
			last = now
		}
	}
}

func escape(x, y float64) int {
	zx, zy := 0.0, 0.0
	for i := 0; i < 1000; i++ {
		zx, zy = zx*zx-zy*zy+x, 2*zx*zy+y
		if zx*zx+zy*zy > 4 {
			return i
		}
	}
	return 1000
}

const edge = 256

func at(i int) (float64, float64) {
	return float64(i%edge)/edge*3 - 2, float64(i/edge)/edge*3 - 1.5
}

func perPixel() {
	var image [edge * edge]int
	for {
		var wg sync.WaitGroup
		for i := range image {
			wg.Add(1)
			go func(i int) {
				x, y := at(i)
				image[i] = escape(x, y)
				ops.Add(1)
				wg.Done()
			}(i)
		}
		wg.Wait()
	}
}

func perRow() {
	var image [edge * edge]int
	for {
		var wg sync.WaitGroup
		for row := 0; row < edge; row++ {
			wg.Add(1)
			go func(row int) {
				for i := row * edge; i < (row+1)*edge; i++ {
					x, y := at(i)
					image[i] = escape(x, y)
					ops.Add(1)
				}
				wg.Done()
			}(row)
		}
		wg.Wait()
	}
}

func pool() {
	work := make(chan int)
	for i := 0; i < runtime.GOMAXPROCS(0); i++ {
		go func() {
			for i := range work {
				x, y := at(i)
				escape(x, y)
				ops.Add(1)
			}
		}()
	}
	for i := 0; ; i++ {
		work <- i % (edge * edge)
	}
}

func spawn() {
	for {
		done := make(chan bool)
		go func() { done <- true }()
		<-done
		ops.Add(1)
	}
}

func syscalls() {
	f, err := os.Open("/dev/zero")
	if err != nil {
		panic(err)
	}
	var b [1]byte
	for {
		syscall.Read(int(f.Fd()), b[:])
		ops.Add(1)
	}
}

func web() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for i := 0; i < 8; i++ {
		go func() {
			for {
				resp, err := client.Get("http://" + l.Addr().String() + "/")
				if err != nil {
					panic(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				ops.Add(1)
			}
		}()
	}
	select {}
}

// storm: goroutines on all Ps that do nothing but yield: as many events a second as the machine gives.
func storm() {
	for i := 0; i < 4*runtime.GOMAXPROCS(0); i++ {
		go func() {
			for {
				runtime.Gosched()
				ops.Add(1)
			}
		}()
	}
	select {}
}

// paced: 2500 goroutines that sleep 10 ms: some 750,000 events a second without saturating two CPUs.
func paced(n int) {
	for i := 0; i < n; i++ {
		go func() {
			for {
				time.Sleep(10 * time.Millisecond)
				ops.Add(1)
			}
		}()
	}
	select {}
}

// parked: n goroutines that wait for ever, and a ping-pong.
func parked(n int) {
	c := make(chan int)
	for i := 0; i < n; i++ {
		go func() { <-c }()
	}
	pingpong()
}

func cpuNs() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return (u.Utime.Nano() + u.Stime.Nano())
}

func report() {
	for {
		fmt.Println(ops.Load(), cpuNs(), time.Now().UnixNano(), longest.Swap(0))
		time.Sleep(20 * time.Millisecond)
	}
}

func commands() {
	in := bufio.NewScanner(os.Stdin)
	var f *os.File
	for in.Scan() {
		word, arg, _ := strings.Cut(in.Text(), " ")
		switch word {
		case "trace":
			f, _ = os.Create(arg)
			if err := trace.Start(f); err != nil {
				panic(err)
			}
			fmt.Println("tracing")
		case "stop":
			trace.Stop()
			f.Close()
			fmt.Println("stopped")
		}
	}
	os.Exit(0)
}

func main() {
	which := flag.String("w", "pingpong", "workload")
	procs := flag.Int("procs", 0, "GOMAXPROCS")
	n := flag.Int("n", 10000, "goroutines of parked and paced")
	flag.Parse()
	if *procs > 0 {
		runtime.GOMAXPROCS(*procs)
	}
	run := map[string]func(){
		"pingpong": pingpong, "mandel-px": perPixel, "mandel-row": perRow, "mandel-work": pool, "spawn": spawn,
		"syscalls": syscalls, "http": web, "storm": storm,
		"paced": func() { paced(*n) }, "parked": func() { parked(*n) },
	}[*which]
	if run == nil {
		panic("no workload " + *which)
	}
	go run()
	go report()
	commands()
}
