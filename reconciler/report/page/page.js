(function () {
  var d = document, shut = [];
  function all(q) { return [].slice.call(d.querySelectorAll(q)); }
  addEventListener("beforeprint", function () {
    shut = all("details:not([open])");
    shut.forEach(function (e) { e.open = true; });
  });
  addEventListener("afterprint", function () { shut.forEach(function (e) { e.open = false; }); });
  var box = d.getElementById("scrub"), r = d.getElementById("step");
  if (!box) return;
  function go(i) {
    i = Math.max(0, Math.min(+r.max, i));
    var s = d.getElementById("state-" + i), t = s.textContent, x = (i + 0.5) * 100 / (+r.max + 1) + "%";
    r.value = i;
    r.setAttribute("aria-valuetext", t);
    d.getElementById("said").textContent = t;
    all(".mark").forEach(function (e) { e.setAttribute("x1", x); e.setAttribute("x2", x); });
    all("[data-on]").forEach(function (e) { e.classList.toggle("off", e.getAttribute("data-on")[i] === "0"); });
    all("[data-wait]").forEach(function (e) { e.classList.toggle("wait", e.getAttribute("data-wait")[i] === "1"); });
    all(".call").forEach(function (e) { e.classList.toggle("now", e.id === "call-" + s.getAttribute("data-call")); });
  }
  r.oninput = function () { go(+r.value); };
  d.getElementById("back").onclick = function () { go(+r.value - 1); };
  d.getElementById("next").onclick = function () { go(+r.value + 1); };
  box.hidden = false;
  go(+r.value);
})();
