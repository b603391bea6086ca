// Works in the background from its start on, and tells how far it has come.
let ticks = 0;
let lastMs = performance.now();
let longestGapMs = 0;

setInterval(() => {
  const nowMs = performance.now();
  longestGapMs = Math.max(longestGapMs, nowMs - lastMs);
  lastMs = nowMs;
  ticks += 1;
}, 5);

export default (): Response => Response.json({ ticks, longestGapMs });
