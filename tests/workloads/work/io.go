package work

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

func init() {
	Register("http", "an HTTP server and keep-alive clients over loopback", true, httpLoop)
	Register("net", "TCP connections that come and go", true, tcpLoop)
	Register("pipe", "a byte to and fro over two pipes", true, pipes)
	Register("files", "file system calls", true, files)
}

// httpLoop counts every request that its clients sent and every one that failed in any way.
func httpLoop(r *Run) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Add("http.failed", 1)
		return
	}
	served := r.Count("http.served")
	body := bytes.Repeat([]byte("gotrace "), 64)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		atomic.AddInt64(served, 1)
		w.Write(body)
	})
	s := &http.Server{Handler: mux}
	go s.Serve(l)
	defer s.Close()

	clients := r.size(8)
	tr := &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: 30 * time.Second}
	url := "http://" + l.Addr().String() + "/"
	requests, failed, slowest := r.Count("http.requests"), r.Count("http.failed"), r.Count("http.slowest_us")
	together(clients, func(int) {
		pace := r.pacer()
		for !r.Over() {
			began := time.Now()
			atomic.AddInt64(requests, 1)
			if !fetch(c, url, body) {
				atomic.AddInt64(failed, 1)
			}
			raise(slowest, time.Since(began).Microseconds())
			pace.wait()
		}
	})
}

func fetch(c *http.Client, url string, want []byte) bool {
	a, err := c.Get(url)
	if err != nil {
		return false
	}
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	return err == nil && a.StatusCode == 200 && bytes.Equal(got, want)
}

func raise(to *int64, v int64) {
	for {
		old := atomic.LoadInt64(to)
		if v <= old || atomic.CompareAndSwapInt64(to, old, v) {
			return
		}
	}
}

func tcpLoop(r *Run) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Add("net.failed", 1)
		return
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	conns, failed := r.Count("net.connections"), r.Count("net.failed")
	together(r.size(2), func(int) {
		b := make([]byte, 5)
		for !r.Over() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				atomic.AddInt64(failed, 1)
				time.Sleep(time.Millisecond)
				continue
			}
			atomic.AddInt64(conns, 1)
			for i := 0; i < 20; i++ {
				c.Write([]byte("12345"))
				if _, err := io.ReadFull(c, b); err != nil {
					atomic.AddInt64(failed, 1)
				}
			}
			c.(*net.TCPConn).SetLinger(0) // no TIME_WAIT: this loop would use up the ports
			c.Close()
			time.Sleep(time.Millisecond)
		}
	})
	l.Close()
}

func pipes(r *Run) {
	ar, aw, err := os.Pipe()
	if err != nil {
		return
	}
	br, bw, err := os.Pipe()
	if err != nil {
		return
	}
	go func() {
		b := make([]byte, 1)
		for {
			if n, _ := ar.Read(b); n != 1 {
				break
			}
			bw.Write(b)
		}
		bw.Close()
	}()
	n, pace := int64(0), r.pacer()
	b := make([]byte, 1)
	for !r.Over() {
		aw.Write(b)
		if k, _ := br.Read(b); k != 1 {
			break
		}
		n++
		pace.wait()
	}
	aw.Close()
	br.Read(b)
	for _, f := range []*os.File{ar, br} {
		f.Close()
	}
	r.Add("pipe.rounds", n)
}

// files counts its own system calls by number; the runtime makes others beside them.
func files(r *Run) {
	dir, err := os.MkdirTemp("", "gotrace-work-")
	if err != nil {
		r.Add("files.failed", 1)
		return
	}
	defer os.RemoveAll(dir)
	name := dir + "/file"
	block := bytes.Repeat([]byte("x"), 4096)
	var opens, writes, reads, syncs, failed int64
	note := func(err error) {
		if err != nil {
			failed++
		}
	}
	pace := r.pacer()
	for !r.Over() {
		fd, err := syscall.Open(name, syscall.O_CREAT|syscall.O_RDWR|syscall.O_TRUNC, 0600)
		note(err)
		opens++
		for i := 0; i < 8; i++ {
			_, err = syscall.Pwrite(fd, block, int64(i)*4096)
			note(err)
			_, err = syscall.Pread(fd, block, int64(i)*4096)
			note(err)
		}
		writes += 8
		reads += 8
		if opens%64 == 0 {
			note(syscall.Fsync(fd))
			syncs++
		}
		note(syscall.Close(fd))
		_, err = os.Stat(name)
		note(err)
		pace.wait()
	}
	r.Add("files.opens", opens)
	r.Add("files.pwrites", writes)
	r.Add("files.preads", reads)
	r.Add("files.fsyncs", syncs)
	r.Add("files.failed", failed)
}
