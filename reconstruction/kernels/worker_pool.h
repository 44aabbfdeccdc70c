// A few threads that wait for numbered pieces of work. Not OpenMP: torch brings its own copy of that runtime,
// and two of them in one process spin against each other.
#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

class WorkerPool {
 public:
  explicit WorkerPool(int threads) : threads_(threads < 1 ? 1 : threads) {
    try {
      for (int i = 1; i < threads_; i++) workers_.emplace_back([this] { serve(); });
    } catch (const std::system_error &) {  // the system gives no more; fewer do the same work
      threads_ = 1 + (int)workers_.size();
    }
  }
  ~WorkerPool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto &worker : workers_) worker.join();
  }
  WorkerPool(const WorkerPool &) = delete;
  WorkerPool &operator=(const WorkerPool &) = delete;

  int threads() const { return threads_; }

  // Calls work(piece) once for each piece in [0, pieces); which thread takes a piece is not fixed, so a result
  // must not depend on it. An exception of a piece is thrown here, after every thread has stopped.
  template <class Work>
  void run(int pieces, const Work &work) {
    if (pieces <= 1 || threads_ == 1) {
      for (int piece = 0; piece < pieces; piece++) work(piece);
      return;
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      call_ = [](const void *w, int piece) { (*static_cast<const Work *>(w))(piece); };
      work_ = &work;
      pieces_ = pieces;
      next_ = 0;
      busy_ = threads_ - 1;
      round_++;
    }
    wake_.notify_all();
    take();
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return busy_ == 0; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void take() {
    try {
      for (int piece; (piece = next_.fetch_add(1)) < pieces_;) call_(work_, piece);
    } catch (...) {
      next_ = pieces_;
      std::lock_guard<std::mutex> lock(mutex_);
      error_ = std::current_exception();
    }
  }
  void serve() {
    unsigned seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      lock.unlock();
      take();
      lock.lock();
      if (--busy_ == 0) idle_.notify_one();
    }
  }

  int threads_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  void (*call_)(const void *, int) = nullptr;
  const void *work_ = nullptr;
  int pieces_ = 0, busy_ = 0;
  std::atomic<int> next_{0};
  unsigned round_ = 0;
  std::exception_ptr error_;
  bool stopping_ = false;
};
