package work

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func init() {
	Register("gosched", "goroutines that yield", true, gosched)
	Register("preempt", "busy loops without a call: only a signal takes the P away", false, preempt)
	Register("lockos", "goroutines locked to their thread; some die with it", true, lockOS)
	Register("panics", "recovered panics, runtime errors and Goexit", true, panics)
	Register("spawn", "many goroutines with a short life", true, spawn)
	Register("deep", "goroutines that block 250 frames deep", true, deep)
	Register("manyg", "-n goroutines, parked in every way there is", true, manyG)
	Register("idle", "nothing at all", false, func(r *Run) { <-r.Done() })
}

func gosched(r *Run) {
	total := r.Count("gosched.calls")
	together(r.size(3), func(int) {
		n, pace := int64(0), r.pacer()
		for !r.Over() {
			runtime.Gosched()
			n++
			pace.wait()
		}
		atomic.AddInt64(total, n)
	})
}

func preempt(r *Run) {
	total := r.Count("preempt.loops")
	together(r.size(2*runtime.GOMAXPROCS(0)), func(int) {
		n := int64(0)
		for !r.Over() {
			x := uint64(n)
			for i := 0; i < 1<<26; i++ { // about 50 ms, longer than a time slice
				x = x*6364136223846793005 + 1442695040888963407
			}
			atomic.AddUint32(&sink, uint32(x))
			n++
		}
		atomic.AddInt64(total, n)
	})
}

func lockOS(r *Run) {
	rounds, died := r.Count("lockos.rounds"), r.Count("lockos.threads_died")
	ping, pong := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for v := range ping {
			pong <- v
		}
	}()
	for n := 0; !r.Over(); n++ {
		ping <- n
		<-pong
		atomic.AddInt64(rounds, 1)
		if n%50 == 0 {
			gone := make(chan struct{})
			go func() { // ends locked: the thread ends with it
				runtime.LockOSThread()
				close(gone)
			}()
			<-gone
			atomic.AddInt64(died, 1)
			time.Sleep(time.Millisecond)
		}
	}
	close(ping)
}

type trouble struct{ n int }

func recovered(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return
}

func panics(r *Run) {
	var n, exits int64
	var none map[string]int
	var empty []int
	for !r.Over() {
		for _, f := range []func(){
			func() { panic(trouble{1}) },
			func() { none["a"] = 1 },
			func() { empty[len(empty)] = 1 },
			func() { defer func() { panic("again") }(); panic("first") },
		} {
			if recovered(f) {
				n++
			}
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			runtime.Goexit()
		}()
		<-gone
		exits++
		time.Sleep(100 * time.Microsecond)
	}
	r.Add("panics.recovered", n)
	r.Add("panics.goexits", exits)
}

var spawned struct {
	wg   sync.WaitGroup
	runs int64
}

func spawnChild() {
	atomic.AddInt64(&spawned.runs, 1)
	spawned.wg.Done()
}

func spawn(r *Run) {
	n, batch := int64(0), r.size(100)
	pace := r.pacer()
	for !r.Over() {
		spawned.wg.Add(batch)
		for i := 0; i < batch; i++ {
			go spawnChild() // work.spawnChild
		}
		spawned.wg.Wait()
		n += int64(batch)
		pace.wait()
	}
	r.Add("spawn.created", n)
	r.Add("spawn.ran", atomic.LoadInt64(&spawned.runs))
}

const deepFrames = 250

//go:noinline
func dive(level int, c chan int) int {
	if level == 0 {
		return <-c
	}
	return dive(level-1, c) + 1
}

func deep(r *Run) {
	c := make(chan int)
	dives := r.Count("deep.dives")
	var wg sync.WaitGroup
	for i := 0; i < r.size(4); i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for dive(deepFrames, c) > 0 {
				atomic.AddInt64(dives, 1)
			}
		}()
	}
	for !r.Over() {
		c <- 0
		time.Sleep(200 * time.Microsecond)
	}
	for i := 0; i < r.size(4); i++ {
		c <- -deepFrames - 1
	}
	wg.Wait()
}

// manyG parks goroutines by receive, send, mutex, sleep, select, condition, empty select and network; they never move
// until the end, so a tracer that attaches later must find them where they are.
func manyG(r *Run) {
	var (
		never      = make(chan int)
		full       = make(chan int)
		mu, condMu sync.Mutex
		c          = sync.NewCond(&condMu)
		over       bool
		ends       sync.WaitGroup
		l, client  net.Conn
		hours      = make(chan struct{})
		kinds      = []string{"receive", "send", "mutex", "select", "cond", "net", "sleep"}
		counts     = map[string]int64{}
	)
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		client, _ = net.Dial("tcp", ln.Addr().String())
		l, _ = ln.Accept()
		ln.Close()
	}
	mu.Lock()
	park := map[string]func(){
		"receive": func() { <-never },
		"send":    func() { full <- 1 },
		"mutex":   func() { mu.Lock(); mu.Unlock() },
		"select": func() {
			select {
			case <-never:
			case <-hours:
			}
		},
		"cond": func() {
			condMu.Lock()
			for !over {
				c.Wait()
			}
			condMu.Unlock()
		},
		"net": func() {
			if l != nil {
				l.Read(make([]byte, 1))
			}
		},
		"sleep": func() { time.Sleep(r.Duration) },
	}
	n := r.size(200)
	for i := 0; i < n; i++ {
		kind := kinds[i%len(kinds)]
		if kind == "net" && counts["net"] > 100 { // readers of one connection queue up on a lock: a few will do
			kind = "receive"
		}
		counts[kind]++
		ends.Add(1)
		f := park[kind]
		go func() {
			f()
			ends.Done()
		}()
	}
	for k, v := range counts {
		r.Add("manyg."+k, v)
	}
	<-r.Done()
	mu.Unlock()
	close(never)
	for i := int64(0); i < counts["send"]; i++ {
		<-full
	}
	condMu.Lock()
	over = true
	condMu.Unlock()
	c.Broadcast()
	if client != nil {
		client.Close()
		l.Close()
	}
	ends.Wait()
}
