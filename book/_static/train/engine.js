// Hands messages to the trainer and brings its answers: from a worker or, where the browser allows none, from this page.
(() => {
const lrcourse = window.lrcourse;
const PATIENCE = { worker: 30, page: 6 }; // milliseconds of training for one message: the page's own thread draws as well

function worker(begun) {
  return new Promise((done) => {
    const failed = () => done(undefined);
    try {
      const script = `self.window = self;${lrcourse.train.trainer}`;
      const made = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
      made.addEventListener("error", failed);
      made.addEventListener("message", () => done(made), { once: true }); // it is there
      made.postMessage(begun, []);
    } catch {
      failed();
    }
  });
}

function inPage(begun) {
  const script = document.createElement("script");
  script.textContent = lrcourse.train.trainer;
  document.head.append(script);
  return lrcourse.trainer(begun);
}

// A function of a message that promises the answer; answers come in the order of the messages.
function engine() {
  const { tasks } = lrcourse.train;
  const ready = worker(tasks).then((made) => {
    if (!made) {
      const answer = inPage(tasks);
      return (message) => answer({ most: PATIENCE.page, ...message });
    }
    const waiting = [];
    made.addEventListener("message", ({ data }) => waiting.shift()(data));
    return (message) => new Promise((done) => {
      waiting.push(done);
      made.postMessage({ most: PATIENCE.worker, ...message }, []);
    });
  });
  return (message) => ready.then((answer) => answer(message));
}

Object.assign(lrcourse, { engine });
})();
