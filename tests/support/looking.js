// What looking.py asks a page. One expression: an object of functions, of which one is called in the page.
(() => {
    const name = one => [one.tagName.toLowerCase(), one.id && "#" + one.id, ...[...one.classList].map(part => "." + part)]
        .filter(Boolean).join("");
    const path = one => one.parentElement && one.parentElement !== document.body
        ? `${path(one.parentElement)} > ${name(one)}` : name(one);

    const numbers = colour => (colour.match(/[\d.]+/g) || []).map(Number);
    const seen = colour => colour.startsWith("rgb") && (numbers(colour)[3] ?? 1) > 0.1;
    const light = colour => {
        const [r, g, b] = numbers(colour).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => {
        const [more, less] = [light(one), light(other)].sort((p, q) => q - p);
        return (more + 0.05) / (less + 0.05);
    };
    const canvas = () => {
        const probe = document.body.appendChild(document.createElement("i"));
        probe.style.setProperty("background-color", "Canvas");
        const colour = getComputedStyle(probe).backgroundColor;
        probe.remove();
        return colour;
    };
    const behind = one => {
        for (let at = one; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (seen(colour)) return colour;
        }
        return canvas();
    };

    const overflow = width => {
        const found = [], top = document.scrollingElement;
        const wide = top.scrollWidth > width;
        if (wide) found.push(`the page is ${top.scrollWidth} wide`);
        for (const one of document.body.querySelectorAll("*")) {
            if (one.closest("svg") && one.tagName !== "svg") continue;
            const box = one.getBoundingClientRect(), style = getComputedStyle(one);
            if (box.width <= 1 || box.height <= 1 || style.visibility === "hidden") continue;
            if (wide && box.right > width + 1) found.push(`${path(one)} ends at ${Math.round(box.right)}`);
            const cuts = ["hidden", "clip"].includes(style.overflowX) && one.tagName !== "svg";
            if (cuts && one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1)
                found.push(`${path(one)} is cut: ${one.scrollWidth} in ${one.clientWidth}`);
        }
        return found.slice(0, 12);
    };

    const told = without => {
        const lines = [];
        const walk = one => {
            if (one.nodeType === Node.TEXT_NODE) lines.push(one.data);
            if (one.nodeType !== Node.ELEMENT_NODE) return;
            if (one.matches("script, style, template, noscript, [hidden]") || one.matches(without)) return;
            one.childNodes.forEach(walk);
        };
        walk(document.body);
        return lines.join("\0");
    };

    const invisible = () => {
        const found = [];
        for (const one of document.body.querySelectorAll("*")) {
            const box = one.getBoundingClientRect(), style = getComputedStyle(one), drawing = one.closest("svg");
            if (!(box.width || box.height) || style.visibility === "hidden") continue;
            const speaks = [...one.childNodes].some(child => child.nodeType === Node.TEXT_NODE && child.data.trim());
            if (speaks && !drawing && box.width > 1 && contrast(style.color, behind(one)) < 4.5)
                found.push(`${path(one)}: text ${style.color} on ${behind(one)}`);
            if (!drawing || one.closest("defs, pattern, marker, symbol, [display=none]")) continue;
            if (!["line", "path", "rect", "circle", "polyline", "polygon", "text"].includes(one.tagName)) continue;
            const ground = behind(drawing), drawn = (one.tagName === "line" ? [style.stroke] : [style.stroke, style.fill]).filter(seen);
            if (drawn.length && style.opacity > 0.2 && drawn.every(colour => contrast(colour, ground) < 1.2))
                found.push(`${path(one)}: ${drawn.join(" and ")} on ${ground}`);
        }
        return found.slice(0, 12);
    };

    return {overflow, told, invisible};
})()
