package work

import (
	"sync"
	"sync/atomic"
	"time"
)

func init() {
	Register("hello", "a goroutine sends one value on an unbuffered channel, again and again", true, hello)
	Register("pingpong", "pairs of goroutines that hand a value to and fro", true, pingpong)
	Register("select", "select over channels, with default and with a timeout", true, selects)
	Register("fanin", "many senders, one receiver, a buffered channel", true, fanIn)
}

var greetings = make(chan string)

func sayHello() { greetings <- "hello" }

func hello(r *Run) {
	n, pace := int64(0), r.pacer()
	for !r.Over() {
		go sayHello() // work.sayHello
		if <-greetings == "hello" {
			n++
		}
		pace.wait()
	}
	r.Add("hello.created", n)
	r.Add("hello.sends", n)
}

func pingpong(r *Run) {
	rounds := r.Count("pingpong.rounds")
	together(r.size(1), func(int) {
		ping, pong := make(chan int), make(chan int)
		go func() {
			for v := range ping {
				pong <- v + 1
			}
			close(pong)
		}()
		n, pace := 0, r.pacer()
		for !r.Over() {
			ping <- n
			n = <-pong
			pace.wait()
		}
		close(ping)
		<-pong
		atomic.AddInt64(rounds, int64(n))
	})
}

func selects(r *Run) {
	a, b, quit := make(chan int), make(chan int), make(chan struct{})
	var wg sync.WaitGroup
	feed := func(c chan<- int) {
		defer wg.Done()
		pace := r.pacer()
		for i := 0; ; i++ {
			select {
			case c <- i:
			case <-quit:
				return
			}
			pace.wait()
		}
	}
	wg.Add(2)
	go feed(a)
	go feed(b)
	var got, none, late int64
	for !r.Over() {
		select {
		case <-a:
			got++
		case <-b:
			got++
		case <-time.After(5 * time.Millisecond):
			late++
		}
		select {
		case <-a:
			got++
		default:
			none++
		}
		if got%1000 == 0 {
			idle := make(chan int)
			select { // nobody sends: always the timeout
			case <-idle:
			case <-time.After(time.Millisecond):
				late++
			}
		}
	}
	close(quit)
	wg.Wait()
	r.Add("select.received", got)
	r.Add("select.default", none)
	r.Add("select.timeouts", late)
}

func fanIn(r *Run) {
	c := make(chan int, 16)
	sent := r.Count("fanin.sends")
	got := make(chan int64)
	go func() {
		n := int64(0)
		for range c {
			n++
		}
		got <- n
	}()
	together(r.size(8), func(i int) {
		n, pace := int64(0), r.pacer()
		for !r.Over() {
			c <- i
			n++
			pace.wait()
		}
		atomic.AddInt64(sent, n)
	})
	close(c)
	r.Add("fanin.received", <-got)
}
